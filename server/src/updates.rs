//! The messages of one watch, for either protocol: updates, each encoded once for all watchers, and heartbeats.

use crate::{
    error,
    fault::{self, Active},
    grpc::{self, to_text},
    inventory::{InventoryError, now},
    rest,
    watch::{Form, Update},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use inventory_contract::{HEARTBEAT_KEY, HEARTBEAT_REASON, StockUpdate};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tonic::Status;

/// The messages of one watch: updates, and heartbeats where they were asked for.
pub struct Updates<W> {
    updates: W,
    heartbeat: Option<Interval>,
    form: Form,
    fault: Active,
}

/// A message in this form.
fn written(form: Form, message: &StockUpdate) -> Bytes {
    match form {
        Form::Protobuf => grpc::framed(message),
        Form::Json => rest::line(message),
    }
}

impl<W> Updates<W> {
    /// What a subscription gives, in this form.
    pub fn new(updates: W, heartbeat: Option<Interval>, form: Form, fault: Active) -> Updates<W> {
        Updates {
            updates,
            heartbeat,
            form,
            fault,
        }
    }
}

impl<W: Stream<Item = Result<Arc<Update>, InventoryError>> + Unpin> Stream for Updates<W> {
    type Item = Result<Bytes, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(next) = this.updates.poll_next_unpin(context) {
            let (form, fault) = (this.form, this.fault);
            return Poll::Ready(next.map(|update| match update {
                Ok(update) => Ok(update.encoded(form, |update| written(form, &message(update, fault)))),
                Err(error) => Err(error::status(&error, fault)),
            }));
        }
        match &mut this.heartbeat {
            Some(pace) => {
                ready!(pace.poll_tick(context));
                let beat = StockUpdate {
                    reason: HEARTBEAT_REASON.to_owned(),
                    timestamp: to_text(now()),
                    ..StockUpdate::default()
                };
                Poll::Ready(Some(Ok(written(this.form, &beat))))
            }
            None => Poll::Pending,
        }
    }
}

/// The shortest pace of heartbeats; below it they would be load.
const FASTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The pace of the heartbeats that the headers ask for: digits and `ms`, `s`, `m` or `h`.
pub fn heartbeat(headers: &HeaderMap, fault: Active) -> Result<Option<Interval>, Status> {
    let Some(value) = headers.get(HEARTBEAT_KEY) else {
        return Ok(None);
    };
    let pace = value
        .to_str()
        .ok()
        .and_then(duration)
        .filter(|pace| *pace >= FASTEST_HEARTBEAT);
    let start = pace.and_then(|pace| Some((Instant::now().checked_add(pace)?, pace)));
    let Some((start, pace)) = start else {
        let problem = "must be a duration of at least 100ms, such as 60s (units: ms, s, m, h)";
        return Err(error::bad_metadata(HEARTBEAT_KEY, problem, fault));
    };
    let mut interval = tokio::time::interval_at(start, pace);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Some(interval))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (amount, unit) = text.split_at(unit);
    let amount: u64 = amount.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(amount.checked_mul(millis)?))
}

fn message(update: &Update, fault: Active) -> StockUpdate {
    let mut message = StockUpdate {
        product_id: update.product.card.id.clone(),
        product_name: update.product.card.name.clone(),
        old_quantity: update.old_quantity,
        new_quantity: update.product.stock,
        reason: update.reason.clone(),
        timestamp: to_text(update.at),
    };
    if fault.any() {
        fault::wire::update(fault, update, &mut message);
    }
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::stream;
    use prost::Message;

    fn headers(pace: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HEARTBEAT_KEY, pace.parse().unwrap());
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_keep_their_pace_from_the_first_on() {
        let heartbeat = heartbeat(&headers("60s"), Active::default()).unwrap();
        let silent = stream::pending::<Result<Arc<Update>, InventoryError>>();
        let mut updates = Updates::new(silent, heartbeat, Form::Protobuf, Active::default());
        let start = Instant::now();
        for minute in 1..=3 {
            let frame = updates.next().await.unwrap().unwrap();
            let beat = StockUpdate::decode(frame.slice(5..)).unwrap();
            assert_eq!((beat.product_id.as_str(), beat.reason.as_str()), ("", HEARTBEAT_REASON));
            assert_eq!(start.elapsed().as_secs(), minute * 60);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_do_not_ask_get_no_heartbeat() {
        let heartbeat = heartbeat(&HeaderMap::new(), Active::default()).unwrap();
        let silent = stream::pending::<Result<Arc<Update>, InventoryError>>();
        let mut updates = Updates::new(silent, heartbeat, Form::Protobuf, Active::default());
        let day = Duration::from_secs(24 * 3600);
        assert!(tokio::time::timeout(day, updates.next()).await.is_err());
    }

    #[test]
    fn durations_have_a_whole_amount_and_a_unit() {
        for (text, millis) in [("100ms", 100), ("60s", 60_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "60 s",
            "60S",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}

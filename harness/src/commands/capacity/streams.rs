//! The memory of a stream: opens many, and looks at the resident memory before and after.

use super::watch::Watch;
use crate::commands::load::targets::Under;
use std::time::Duration;
use stocktake::client::{Arrival, Call, OpenCall, Protocol};
use tokio::time::timeout;

/// The stream of the contract.
const METHOD: &str = "WatchStockChanges";

/// For opening one.
const OPEN: Duration = Duration::from_secs(10);

/// For memory to settle once all are open.
const SETTLE: Duration = Duration::from_millis(500);

/// Messages of a stream that are skipped to see whether it ended.
const SKIP: usize = 100;

/// Whether a stream is over by now; what it has to say is skipped.
async fn ended(stream: &mut OpenCall) -> bool {
    for _ in 0..SKIP {
        match timeout(Duration::ZERO, stream.next()).await {
            Ok(Arrival::End(_)) => return true,
            Ok(Arrival::Headers(_) | Arrival::Message(_)) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Bytes of memory of each of so many streams, all of which were open at once.
///
/// # Errors
/// Why that is not known, in words.
pub async fn measure(under: &Under<'_>, watch: &Watch, count: usize) -> Result<u64, String> {
    let method = under.schema.method(inventory_contract::SERVICE, METHOD);
    let method = method.ok_or("the target has no WatchStockChanges")?;
    let before = watch.memory().await.ok_or("its memory is not known")?;
    let call = Call {
        protocol: Protocol::Grpc,
        metadata: Vec::new(),
        deadline: Duration::from_secs(600),
        fresh_connection: false,
        small_window: false,
        method,
    };
    let mut open: Vec<OpenCall> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = under.client.open(&call).await;
        let request = call.method.input.new_message();
        let sent = stream.send(&request).await;
        stream.close();
        // The head of the answer says that the server holds the stream.
        let arrived = timeout(OPEN, stream.next()).await;
        match (sent, arrived) {
            (Ok(()), Ok(Arrival::Headers(_) | Arrival::Message(_))) => open.push(stream),
            (_, Ok(_)) => return Err(format!("after {} streams the target took no more", open.len())),
            (_, Err(_)) => return Err(format!("stream {} was not opened in time", open.len() + 1)),
        }
    }
    tokio::time::sleep(SETTLE).await;
    let after = watch.memory().await.ok_or("its memory is not known")?;
    let mut over = 0;
    for stream in &mut open {
        over += usize::from(ended(stream).await);
    }
    if over > 0 {
        return Err(format!(
            "{over} of {count} streams ended while they were to be held open"
        ));
    }
    for stream in open {
        drop(stream.cancel());
    }
    Ok(after.saturating_sub(before) / count.max(1) as u64)
}

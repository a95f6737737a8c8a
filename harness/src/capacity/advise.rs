//! From one replica and what is expected of a deployment to all that a report shows of it: limits, and what they do under traffic.
//! Pure.

use super::{
    measured::Measured,
    prices::Prices,
    recommend::{self, Advice, Ask, RecommendError, Recommendation},
    scaler::{self, Deployment, Limits, Reading},
    traffic::Profile,
};

/// What is asked besides the limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// Traffic to play.
    pub traffic: Option<Profile>,
    /// Numbers of most replicas to set side by side; the recommended one and today's are there anyway.
    pub maxes: Vec<u32>,
}

/// The advice.
///
/// # Errors
/// Of [`recommend::recommend`].
pub fn advise(measured: &Measured, ask: &Ask, play: &Play, prices: &Prices) -> Result<Advice, RecommendError> {
    let mut recommendation = recommend::recommend(measured, ask, prices)?;
    let mut outcomes = Vec::new();
    if let Some(profile) = &play.traffic {
        let lost = recommend::lost(&recommendation, profile, prices);
        recommendation.warnings.extend(lost);
        for deployment in deployments(&recommendation, measured, ask, &play.maxes) {
            outcomes.push(scaler::simulate(profile, &deployment, prices));
        }
    }
    Ok(Advice {
        recommendation,
        traffic: play.traffic.clone(),
        outcomes,
    })
}

/// Whether what is asked for makes sense, before anything is measured.
///
/// # Errors
/// What does not, in words.
pub fn sound(ask: &Ask, prices: &Prices) -> Result<(), String> {
    // A replica without any doubt about it: what is left to be wrong is the question.
    let measured = Measured {
        passed: 100.0,
        failed: Some(105.0),
        limit: "latency".to_owned(),
        in_flight: 2.0,
        service_s: 0.02,
        skew: 1.0,
        ..Measured::default()
    };
    match recommend::recommend(&measured, ask, prices) {
        Err(error @ RecommendError::Wrong { .. }) => Err(error.to_string()),
        Ok(_) | Err(RecommendError::TooLittle { .. }) => Ok(()),
    }
}

/// Each number of most replicas by each reading of the metric, each reading with its own concurrency; then what is set today.
fn deployments(told: &Recommendation, measured: &Measured, ask: &Ask, maxes: &[u32]) -> Vec<Deployment> {
    let mut all: Vec<u32> = maxes.iter().copied().chain([told.limits.max]).collect();
    all.sort_unstable();
    all.dedup();
    let mut deployments = Vec::new();
    for reading in Reading::ALL {
        let concurrency = match reading {
            Reading::Rate => Some(told.limits.concurrency),
            Reading::InFlight => told.concurrency_in_flight,
        };
        let Some(concurrency) = concurrency else { continue };
        let of = |limits: Limits, size| Deployment {
            limits,
            reading,
            replica: recommend::replica(measured, ask),
            size,
        };
        for max in &all {
            let limits = Limits::new(told.limits.min.min(*max), *max, concurrency);
            deployments.push(of(limits, told.size));
        }
        if let Some(current) = ask.current {
            deployments.push(of(current.limits, current.size.or(told.size)));
        }
    }
    deployments
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::capacity::{recommend::Current, traffic::Spec};

    fn measured() -> Measured {
        Measured {
            passed: 145.0,
            failed: Some(156.0),
            limit: "latency".to_owned(),
            in_flight: 4.0,
            service_s: 0.027,
            cold_start_s: Some(5.0),
            skew: 1.0,
            from: vec!["run".to_owned()],
            ..Measured::default()
        }
    }

    #[test]
    fn each_max_stands_beside_the_others_by_each_reading() {
        let Spec::Flash(profile) = Spec::parse("flash:base=20,peak=400,ramp=30s,hold=5m").unwrap() else {
            panic!("it is no file")
        };
        let ask = Ask {
            peak: 400.0,
            base: Some(20.0),
            current: Some(Current {
                limits: Limits::new(1, 5, 10),
                size: None,
            }),
            ..Ask::default()
        };
        let play = Play {
            traffic: Some(profile),
            maxes: vec![5, 8, 12],
        };
        let advice = advise(&measured(), &ask, &play, &Prices::embedded().unwrap()).unwrap();
        let by_rate = advice
            .outcomes
            .iter()
            .filter(|outcome| outcome.deployment.reading == Reading::Rate);
        let mut maxes: Vec<u32> = by_rate.map(|outcome| outcome.deployment.limits.max).collect();
        assert_eq!(maxes.pop(), Some(5), "today's comes last");
        assert!([5, 8, 12].iter().all(|max| maxes.contains(max)), "{maxes:?}");
        assert!(maxes.contains(&advice.recommendation.limits.max));
    }

    #[test]
    fn a_question_without_sense_is_found_before_anything_is_measured() {
        let prices = Prices::embedded().unwrap();
        let told = sound(&Ask::default(), &prices).unwrap_err();
        assert!(told.contains("no peak rate"), "{told}");
        let ask = Ask {
            peak: 100.0,
            ..Ask::default()
        };
        assert_eq!(sound(&ask, &prices), Ok(()));
    }
}

//! Histograms as files that other tools read: HdrHistogram's log (`.hlog`) and its table of percentiles (`.hgrm`). Pure.
//!
//! A log has an interval for each round, and in it a line for each distribution. Values are nanoseconds. The lines of the
//! response time carry no tag, because the tools show the untagged lines unless told otherwise; the others carry theirs:
//! `service`, `lateness`, `slot_wait`, `failures`, `first_message`, `gaps`, `delivery`. A merge of the lines of one tag is the
//! distribution of all rounds, exactly. Void rounds are among them, which the percentiles of the record leave out.
//! Formats: `HistogramLogWriter` and `AbstractHistogram.outputPercentileDistribution` of HdrHistogram for Java 2.2.

use super::{distribution::Distribution, recorder::Tally, summary::may_show};
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};
use std::time::{Duration, SystemTime};

/// The tag of the distribution that is written without one.
const UNTAGGED: &str = "response";

/// The log of one operation of one side.
pub struct Log {
    text: Vec<u8>,
    serializer: V2DeflateSerializer,
}

impl Log {
    /// An empty one. `title` says what it is of, on one line whatever is in it; the times of the intervals count from `base`, which is the begin of the run.
    pub fn new(title: &str, base: SystemTime) -> Log {
        let mut text = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        // A line of its own would be read as one of the log.
        let title = title.replace(char::is_control, " ");
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(&title)
            .add_comment(
                "Values are nanoseconds. Lines without a tag are response times, from the intended send to the end.",
            )
            .add_comment("All rounds are here. run.json says which of them are void; its percentiles leave those out.")
            .with_start_time(base)
            .with_base_time(base)
            .begin_log_with(&mut text, &mut serializer)
            .expect("a buffer in memory takes all");
        let legend = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
        text.extend_from_slice(legend.as_bytes());
        Log { text, serializer }
    }

    /// Adds a round: when it began to count, since the base, and for how long. Empty distributions are left out.
    pub fn add(&mut self, start: Duration, length: Duration, tally: &Tally) {
        let mut writer = IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.text, &mut self.serializer)
            .expect("a buffer in memory takes all");
        for (name, times) in tally.distributions() {
            let Some(histogram) = times.histogram() else { continue };
            let tag = if name == UNTAGGED { None } else { Tag::new(name) };
            writer
                .write_histogram(histogram, start, length, tag)
                .expect("a buffer in memory takes all, and counts are below 2^63");
        }
    }

    /// The file so far.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Nanoseconds of a millisecond, the unit of a table of percentiles: what its plotters write at the axis.
const MILLISECOND: f64 = 1e6;

/// Points between two halvings of the distance to 100 %: the number that the tools use.
const TICKS: u32 = 5;

/// A distribution as a table of percentiles, in milliseconds. Percentiles without enough samples are left out, but for the last
/// line, which is the maximum.
pub fn hgrm(times: &Distribution) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let Some(histogram) = times.histogram() else {
        text += "#[Mean    =        0.000, StdDeviation   =        0.000]\n";
        text += "#[Max     =        0.000, Total count    =            0]\n";
        return text;
    };
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let value = histogram.highest_equivalent(step.value_iterated_to()) as f64 / MILLISECOND;
        let percentile = step.quantile_iterated_to();
        if percentile >= 1.0 {
            text += &format!("{value:12.6} {percentile:2.12} {total:10}\n");
        } else if may_show(histogram.len(), percentile) {
            text += &format!(
                "{value:12.6} {percentile:2.12} {total:10} {:14.2}\n",
                1.0 / (1.0 - percentile)
            );
        }
    }
    let mean = times.mean().unwrap_or_default() / MILLISECOND;
    let deviation = histogram.stdev() / MILLISECOND;
    let max = histogram.max() as f64 / MILLISECOND;
    text += &format!("#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]\n");
    text += &format!("#[Max     = {max:12.6}, Total count    = {:12}]\n", histogram.len());
    text += &format!(
        "#[Buckets = {:12}, SubBuckets     = {:12}]\n",
        histogram.buckets(),
        SUB_BUCKETS
    );
    text
}

/// Steps of a bucket at three significant digits: the power of two above 2 * 10^3.
const SUB_BUCKETS: u32 = 2048;

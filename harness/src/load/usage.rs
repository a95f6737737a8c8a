//! CPU time of a process, and what the machine says of itself. Linux only: elsewhere every answer is `None`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// CPU time of a process at one moment.
///
/// Linux says it twice. `schedstat` of each thread has nanoseconds, but a thread takes its part along when it ends. `stat` of
/// the process keeps the parts of ended threads, but in ticks. The difference of two moments is taken from the first where
/// the second allows it; see [`Usage::since`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// By thread id, nanoseconds. Empty where the kernel does not count them.
    threads: BTreeMap<u32, u64>,
    /// User and system time of all threads, ended ones too.
    process: Duration,
}

/// A tick in `/proc`: USER_HZ is 100 on every architecture that this is built for, whatever the kernel's own HZ.
const TICK: Duration = Duration::from_millis(10);

/// How far the two may be apart without a thread having ended between: at each moment two fields are cut to a whole tick, which
/// makes 20 ms, and as much again because the files of a running process are not read at one instant.
const ROUNDING: Duration = Duration::from_millis(40);

/// So many times the rounding a time from ticks has to be: then it is right to 5 %. Rounds of less would jump with each thread
/// that ends.
const ENOUGH: u32 = 20;

impl Usage {
    /// Of a process now. `None` where it is gone or not ours to look at, and on systems without `/proc`.
    pub fn of(process: u32) -> Option<Usage> {
        let folder = Path::new("/proc").join(process.to_string());
        let total = ticks(&fs::read_to_string(folder.join("stat")).ok()?)?;
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(folder.join("task")).ok()?.flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A thread that ends in between has no file any more.
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            let time = text.split_whitespace().next().and_then(|field| field.parse().ok());
            if let (Some(id), Some(time)) = (id, time) {
                threads.insert(id, time);
            }
        }
        Some(Usage {
            threads,
            process: total,
        })
    }

    /// CPU time between an earlier moment and this one: to the nanosecond where no thread ended between them, else from ticks,
    /// to 5 %. `None` where ticks are all there is and they are too few for that, and where this moment has less than the
    /// earlier one: another process has the id by now.
    pub fn since(&self, earlier: &Usage) -> Option<Duration> {
        let ticks = self.process.checked_sub(earlier.process)?;
        let coarse = Some(ticks).filter(|ticks| *ticks >= ROUNDING * ENOUGH);
        let kept = earlier.threads.keys().all(|id| self.threads.contains_key(id));
        if self.threads.is_empty() || !kept {
            return coarse;
        }
        let spent = |(id, time): (&u32, &u64)| time.saturating_sub(earlier.threads.get(id).copied().unwrap_or(0));
        let fine = Duration::from_nanos(self.threads.iter().map(spent).sum());
        // Threads that began and ended in between are in neither list, only in the total.
        if ticks > fine + ROUNDING { coarse } else { Some(fine) }
    }
}

/// utime and stime of a `stat` line, its fields 14 and 15. The name, field 2, may contain spaces and parentheses.
fn ticks(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (next()?, next()?);
    Some(TICK * user.checked_add(system)?)
}

/// The model of the processor; `None` where the system does not name it (on ARM it often does not).
pub fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, model) = line.split_once(':')?;
    Some(model.trim().to_owned()).filter(|model| !model.is_empty())
}

/// The kernel's release.
pub fn kernel() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(text.trim().to_owned()).filter(|release| !release.is_empty())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::{process, thread, time::Instant};

    fn usage(threads: &[(u32, u64)], process_ms: u64) -> Usage {
        Usage {
            threads: threads.iter().copied().collect(),
            process: Duration::from_millis(process_ms),
        }
    }

    #[test]
    fn threads_count_to_the_nanosecond_while_they_live() {
        let earlier = usage(&[(1, 1_000), (2, 500)], 0);
        let later = usage(&[(1, 1_700), (2, 500), (3, 42)], 10);
        assert_eq!(later.since(&earlier), Some(Duration::from_nanos(742)));
    }

    #[test]
    fn ended_threads_are_found_in_the_total() {
        let earlier = usage(&[(1, 0), (2, 0)], 100);
        // 40 ms may be wrong in the total: from 800 ms on that is at most 5 %.
        for (total, wanted) in [(900, Some(Duration::from_millis(800))), (890, None)] {
            // The second one ended; its part is in the total alone.
            assert_eq!(usage(&[(1, 5)], total).since(&earlier), wanted);
            // One came and went in between.
            assert_eq!(usage(&[(1, 5), (2, 0)], total).since(&earlier), wanted);
            // No thread is counted on this kernel.
            assert_eq!(usage(&[], total).since(&usage(&[], 100)), wanted);
        }
        // The id belongs to another process.
        assert_eq!(usage(&[(1, 5)], 50).since(&earlier), None);
    }

    #[test]
    fn a_name_may_contain_what_separates_the_fields() {
        let line = "7 (a) b (c) ) S 1 7 7 0 -1 4194560 1 0 0 0 12 34 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks(line), Some(Duration::from_millis(460)));
        assert_eq!(ticks("7 (x) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_of_a_process_is_seen() {
        let mut child = process::Command::new("sh")
            .args(["-c", "n=0; while [ $n -lt 9000000 ]; do n=$((n+1)); done"])
            .spawn()
            .unwrap();
        let earlier = Usage::of(child.id()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let spent = || Usage::of(child.id()).and_then(|usage| usage.since(&earlier));
        // On a busy machine it gets but a part of the time.
        while spent().is_none_or(|spent| spent < Duration::from_millis(20)) && Instant::now() < deadline {
            thread::yield_now();
        }
        let spent = spent();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            spent.is_some_and(|spent| spent >= Duration::from_millis(20)),
            "{spent:?}"
        );
        assert_eq!(Usage::of(u32::MAX), None);
        assert!(kernel().is_some());
    }
}

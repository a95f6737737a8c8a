//! A chart as SVG: scales, ticks, lines, marks. Pure, and a function of its numbers alone.
//!
//! The picture is as wide as its place: horizontal positions are percent, so that letters and strokes keep their size on a
//! telephone. Lines need numbers instead; they lie in an inner picture that is stretched, with strokes that are not. Labels
//! of the vertical axis stand left of the picture, in its margin. Colours are classes of the style sheet, and never the only
//! sign: strokes are dashed and marks have shapes.

use std::fmt::Write;

/// The width of the inner picture; only its ratio to the outer one matters.
const WIDTH: f64 = 1000.0;

/// Ratios that a scale has room for; what is beyond stands at its edge.
const RATIOS: (f64, f64) = (1e-6, 1e6);

/// How numbers become places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly.
    Linear {
        /// At 0.
        from: f64,
        /// At 1.
        to: f64,
    },
    /// By the logarithm; both above 0.
    Log {
        /// At 0.
        from: f64,
        /// At 1.
        to: f64,
    },
}

impl Scale {
    /// For values of such a spread: logarithmic where the largest is more than twenty times the smallest, else from 0.
    pub fn for_spread(values: impl Iterator<Item = f64>) -> Option<Scale> {
        let (least, most) = bounds(values)?;
        if least > 0.0 && most / least > 20.0 {
            Some(Scale::Log {
                from: floor_125(least),
                to: ceil_125(most),
            })
        } else {
            Scale::from_zero(most)
        }
    }

    /// From 0 to the next round number.
    pub fn from_zero(most: f64) -> Option<Scale> {
        (most.is_finite() && most >= 0.0).then(|| {
            let to = if most > 0.0 { most } else { 1.0 };
            let step = step(to, 4.0);
            Scale::Linear {
                from: 0.0,
                to: (to / step).ceil() * step,
            }
        })
    }

    /// Around 1, on a logarithmic scale, with room for all of these.
    pub fn around_one(values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = bounds(values.map(|value| value.clamp(RATIOS.0, RATIOS.1))).unwrap_or((1.0, 1.0));
        // A bound needs room beside it, and no difference shall look like a large one.
        Scale::Log {
            from: (least / 1.05).min(0.8),
            to: (most * 1.05).max(1.25),
        }
    }

    /// The place of a value: 0 to 1, at the edge what lies beyond it.
    pub fn at(self, value: f64) -> f64 {
        let place = match self {
            Scale::Linear { from, to } => (value - from) / (to - from),
            Scale::Log { from, to } if value > 0.0 => (value / from).ln() / (to / from).ln(),
            Scale::Log { .. } => 0.0,
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Round numbers on it, about so many.
    pub fn ticks(self, about: usize) -> Vec<f64> {
        match self {
            Scale::Linear { from, to } => {
                let step = step(to - from, about as f64);
                let first = (from / step).ceil() as i64;
                let last = (to / step + 1e-9).floor() as i64;
                (first..=last).map(|n| n as f64 * step).collect()
            }
            Scale::Log { from, to } => log_ticks(from, to, about),
        }
    }
}

/// Ticks of a logarithmic scale: as many as fit of 1, then 1 and 3, then 1, 2 and 5 of each decade, else finer ones.
fn log_ticks(from: f64, to: f64, about: usize) -> Vec<f64> {
    let families: [&[f64]; 5] = [
        &[
            1.0, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0,
        ],
        &[1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0, 8.0],
        &[1.0, 2.0, 5.0],
        &[1.0, 3.0],
        &[1.0],
    ];
    let within = |family: &[f64]| -> Vec<f64> {
        let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let all = decades.flat_map(|decade| family.iter().map(move |of| of * 10f64.powi(decade)));
        all.filter(|tick| *tick >= from * 0.999_999 && *tick <= to * 1.000_001)
            .collect()
    };
    let fits = families.into_iter().map(within).find(|ticks| ticks.len() <= about);
    fits.unwrap_or_else(|| {
        let decades = within(&[1.0]);
        let every = decades.len().div_ceil(about.max(1)).max(1);
        decades.into_iter().step_by(every).collect()
    })
}

/// The distance of ticks, 1, 2 or 5 times a power of ten, of which a span has about so many.
fn step(span: f64, about: f64) -> f64 {
    let raw = span / about.max(1.0);
    if raw.is_finite() && raw > 0.0 {
        ceil_125(raw)
    } else {
        1.0
    }
}

/// The next of 1, 2, 5 times a power of ten, upwards.
fn ceil_125(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    let of = value / decade;
    let rounded = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| of <= step * 1.000_001);
    rounded.unwrap_or(10.0) * decade
}

/// The next of 1, 2, 5 times a power of ten, downwards.
fn floor_125(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    let of = value / decade;
    let rounded = [5.0, 2.0].into_iter().find(|step| of >= step * 0.999_999);
    rounded.unwrap_or(1.0) * decade
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    finite.fold(None, |bounds, value| {
        let (least, most) = bounds.unwrap_or((value, value));
        Some((value.min(least), value.max(most)))
    })
}

/// An axis: its scale and where it is labelled.
#[derive(Clone, Debug)]
pub struct Axis {
    /// How numbers become places.
    pub scale: Scale,
    /// Values and their labels.
    pub ticks: Vec<(f64, String)>,
}

/// A line through points; where a value is missing it is broken.
#[derive(Clone, Debug)]
pub struct Series {
    /// Classes of the style sheet: who it is, and how it is stroked.
    pub class: String,
    /// Across and up.
    pub points: Vec<(f64, Option<f64>)>,
    /// The shape of its marks, an element `k-…` of the page.
    pub mark: &'static str,
    /// Where a mark stands: across, up, and what it says.
    pub marks: Vec<(f64, f64, String)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Of the element; unique on the page.
    pub id: String,
    /// What it is.
    pub title: String,
    /// What it shows, for those who do not see it.
    pub about: String,
    /// Pixels.
    pub height: u32,
    /// Across.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Places across that are parted by a line.
    pub parted: Vec<f64>,
    /// In the order in which they are drawn.
    pub lines: Vec<Series>,
}

impl Chart {
    /// The element. Every text in it is escaped.
    pub fn svg(&self) -> String {
        let height = f64::from(self.height);
        let up = |value: f64| height * (1.0 - self.y.scale.at(value));
        let mut svg = head(&self.id, "plot", self.height, &self.title, &self.about);
        svg.push_str("<g class=\"scale\" aria-hidden=\"true\">");
        for (value, label) in &self.y.ticks {
            let y = up(*value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                y + 4.0,
                escaped(label)
            );
        }
        svg.push_str("</g><g class=\"scale across\" aria-hidden=\"true\">");
        for (value, label) in &self.x.ticks {
            let x = percent(self.x.scale.at(*value));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{height}\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                height + 17.0,
                escaped(label)
            );
        }
        for place in &self.parted {
            let x = percent(self.x.scale.at(*place));
            let _ = write!(
                svg,
                "<line class=\"parted\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{height}\"/>"
            );
        }
        let _ = write!(
            svg,
            "</g><svg viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" height=\"{height}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
        );
        for line in &self.lines {
            let _ = write!(
                svg,
                "<path class=\"line {}\" d=\"{}\"/>",
                escaped(&line.class),
                self.path(line)
            );
        }
        svg.push_str("</svg>");
        for line in &self.lines {
            for (x, y, says) in &line.marks {
                let _ = write!(
                    svg,
                    "<use href=\"#k-{}\" class=\"mark {}\" x=\"{}\" y=\"{:.1}\"><title>{}</title></use>",
                    line.mark,
                    escaped(&line.class),
                    percent(self.x.scale.at(*x)),
                    up(*y),
                    escaped(says)
                );
            }
        }
        svg.push_str("</svg>");
        svg
    }

    /// A point without neighbours is a stroke of no length, which the round ends of strokes make a dot.
    fn path(&self, line: &Series) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (x, y) in &line.points {
            let Some(y) = y else {
                pen_down = false;
                continue;
            };
            let x = WIDTH * self.x.scale.at(*x);
            let y = f64::from(self.height) * (1.0 - self.y.scale.at(*y));
            let _ = if pen_down {
                write!(path, "L{x:.1} {y:.1}")
            } else {
                write!(path, "M{x:.1} {y:.1}h0")
            };
            pen_down = true;
        }
        path
    }
}

/// A ratio with its interval, on a line of its own; nothing but the line at 1 where there is no ratio.
pub fn interval(
    id: &str,
    scale: Scale,
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    class: &str,
    says: &str,
) -> String {
    const MIDDLE: u32 = 13;
    let mut svg = head(id, "ratio", MIDDLE * 2, says, "");
    let one = percent(scale.at(1.0));
    let _ = write!(
        svg,
        "<line class=\"one\" x1=\"{one}\" x2=\"{one}\" y1=\"-14\" y2=\"40\"/>"
    );
    if let Some((from, to)) = interval {
        let (from, to) = (percent(scale.at(from)), percent(scale.at(to)));
        let _ = write!(
            svg,
            "<line class=\"line {class}\" x1=\"{from}\" x2=\"{to}\" y1=\"{MIDDLE}\" y2=\"{MIDDLE}\"/>"
        );
        for end in [from, to] {
            let _ = write!(
                svg,
                "<line class=\"line {class}\" x1=\"{end}\" x2=\"{end}\" y1=\"8\" y2=\"18\"/>"
            );
        }
    }
    if let Some(ratio) = ratio {
        let at = percent(scale.at(ratio));
        let _ = write!(
            svg,
            "<use href=\"#k-square\" class=\"mark {class}\" x=\"{at}\" y=\"{MIDDLE}\"/>"
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The labels of a scale alone, for the row below [`interval`]s.
pub fn ruler(scale: Scale, ticks: &[(f64, String)]) -> String {
    let mut svg = "<svg class=\"ratio scale\" width=\"100%\" height=\"18\" aria-hidden=\"true\">".to_owned();
    for (value, label) in ticks {
        let at = percent(scale.at(*value));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{at}\" x2=\"{at}\" y1=\"-8\" y2=\"0\"/><text x=\"{at}\" y=\"13\" text-anchor=\"middle\">{}</text>",
            escaped(label)
        );
    }
    svg.push_str("</svg>");
    svg
}

fn head(id: &str, class: &str, height: u32, title: &str, about: &str) -> String {
    let described = if about.is_empty() {
        String::new()
    } else {
        format!("<desc id=\"{id}-d\">{}</desc>", escaped(about))
    };
    let also = if about.is_empty() {
        String::new()
    } else {
        format!(" {id}-d")
    };
    format!(
        "<svg class=\"{class}\" id=\"{id}\" role=\"img\" aria-labelledby=\"{id}-t{also}\" width=\"100%\" height=\"{height}\"><title id=\"{id}-t\">{}</title>{described}",
        escaped(title)
    )
}

fn percent(place: f64) -> String {
    format!("{:.2}%", place * 100.0)
}

/// A text within an element or an attribute of HTML. What does not show as itself is written out before.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in crate::report::escape::visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(lines: Vec<Series>) -> Chart {
        let scale = Scale::Linear { from: 0.0, to: 10.0 };
        Chart {
            id: "one".into(),
            title: "<b>\"a\" & 'b'</b>\u{1b}".into(),
            about: "about".into(),
            height: 100,
            x: Axis {
                scale,
                ticks: vec![(5.0, "5 s".into())],
            },
            y: Axis {
                scale,
                ticks: vec![(10.0, "10 ms".into())],
            },
            parted: vec![2.5],
            lines,
        }
    }

    #[test]
    fn draws_lines_with_gaps_dots_and_marks() {
        let line = Series {
            class: "grpc".into(),
            points: vec![(0.0, Some(0.0)), (5.0, Some(10.0)), (6.0, None), (10.0, Some(5.0))],
            mark: "circle",
            marks: vec![(5.0, 10.0, "p99 <1 ms".into())],
        };
        insta::assert_snapshot!(chart(vec![line]).svg().replace("><", ">\n<"));
    }

    #[test]
    fn draws_a_ratio_with_its_interval_and_nothing_without() {
        let scale = Scale::around_one([1.3, 1.4].into_iter());
        let drawn = interval("r1", scale, Some(1.3), Some((1.2, 1.4)), "rest-h1", "says \"so\"");
        let void = interval("r2", scale, None, None, "open", "void");
        assert_eq!(void.matches("<line").count(), 1);
        insta::assert_snapshot!(format!("{drawn}\n{void}").replace("><", ">\n<"));
    }

    #[test]
    fn chooses_a_scale_by_the_spread() {
        let linear = Scale::for_spread([2.0, 17.0].into_iter());
        assert_eq!(linear, Some(Scale::Linear { from: 0.0, to: 20.0 }));
        let log = Scale::for_spread([0.7, 150.0].into_iter());
        assert_eq!(log, Some(Scale::Log { from: 0.5, to: 200.0 }));
        assert_eq!(Scale::for_spread([f64::NAN].into_iter()), None);
        let zero = Scale::for_spread([0.0].into_iter());
        assert_eq!(zero, Some(Scale::Linear { from: 0.0, to: 1.0 }));
    }

    #[test]
    fn places_are_within_the_picture_whatever_the_value() {
        for scale in [
            Scale::Linear { from: 0.0, to: 4.0 },
            Scale::Log { from: 0.5, to: 2.0 },
            Scale::Linear { from: 1.0, to: 1.0 },
        ] {
            for value in [-1.0, 0.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert!((0.0..=1.0).contains(&scale.at(value)), "{scale:?} {value}");
            }
        }
        assert_eq!(Scale::Log { from: 0.5, to: 2.0 }.at(1.0), 0.5);
        assert_eq!(Scale::Linear { from: 0.0, to: 4.0 }.at(1.0), 0.25);
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            Scale::Linear { from: 0.0, to: 20.0 }.ticks(4),
            [0.0, 5.0, 10.0, 15.0, 20.0]
        );
        assert_eq!(
            Scale::Log { from: 0.5, to: 200.0 }.ticks(9),
            [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0]
        );
        let ratios = Scale::Log { from: 0.8, to: 1.45 }.ticks(8);
        assert!(
            ratios.contains(&1.0) && ratios.len() >= 4 && ratios.len() <= 8,
            "{ratios:?}"
        );
        let far = Scale::around_one([0.0, f64::MAX, -1.0, f64::NAN].into_iter());
        assert!(far.ticks(7).len() <= 7);
        for (from, to) in [(1e-9, 1e12), (0.999, 1.001), (3.0, 4.0)] {
            assert!(Scale::Log { from, to }.ticks(6).len() <= 6, "{from} {to}");
        }
    }
}

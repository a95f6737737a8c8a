//! Bodies that do not fit the peer's windows: they go out piece by piece, as it opens them.

use super::frame::{Frame, flag, kind, number};
use super::{Broken, H2, LARGEST_WINDOW};
use crate::load::wire::outbox::Outbox;
use crate::load::wire::request::{FRAME, Template, put_frame_head};
use bytes::Bytes;

/// No more than this waits for the system beside what the windows allow.
const WAITING: usize = 4 << 20;

/// A body on its way.
pub(super) struct Sending {
    rest: Bytes,
    /// Of the stream.
    window: i64,
}

impl Sending {
    pub fn new(template: &Template, digits: Option<[u8; 16]>, window: i64) -> Sending {
        let mut rest = template.body.clone();
        if let (Some(at), Some(digits)) = (template.mark, digits) {
            let mut marked = rest.to_vec();
            if let Some(place) = marked.get_mut(at..at + digits.len()) {
                place.copy_from_slice(&digits);
            }
            rest = marked.into();
        }
        Sending { rest, window }
    }
}

impl H2 {
    /// Appends what the windows allow.
    pub fn pump(&mut self, out: &mut Outbox) {
        let mut at = 0;
        while let Some(place) = self.sending.get(at).copied() {
            let stream = &mut self.streams[place];
            let Some(sending) = &mut stream.sending else {
                self.sending.remove(at);
                continue;
            };
            while out.waiting().len() < WAITING {
                let room = sending.window.min(self.window).max(0) as usize;
                let part = sending.rest.split_to(room.min(FRAME).min(sending.rest.len()));
                if part.is_empty() {
                    break;
                }
                let ends = sending.rest.is_empty();
                put_frame_head(
                    part.len(),
                    kind::DATA,
                    u8::from(ends) * flag::END_STREAM,
                    stream.id,
                    out.bytes(),
                );
                out.bytes().extend_from_slice(&part);
                sending.window -= part.len() as i64;
                self.window -= part.len() as i64;
            }
            if sending.rest.is_empty() {
                stream.sending = None;
                self.sending.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Whether a body waits for a window, or for the system.
    pub fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    pub(super) fn window_update(&mut self, frame: Frame, payload: &[u8], out: &mut Outbox) -> Result<(), Broken> {
        let by = number(payload).ok_or("a WINDOW_UPDATE without a number")? & 0x7fff_ffff;
        if frame.stream == 0 {
            self.window += i64::from(by);
            if self.window > i64::from(LARGEST_WINDOW) {
                return Err("a window larger than there is");
            }
        } else if let Some(place) = self.find(frame.stream) {
            match &mut self.streams[place].sending {
                Some(sending) => sending.window += i64::from(by),
                None => return Ok(()),
            }
        }
        self.pump(out);
        Ok(())
    }

    /// The window of new streams has another size: those of open ones move by the difference (section 6.9.2).
    pub(super) fn resize_windows(&mut self, size: i64) {
        let by = size - self.initial_window;
        self.initial_window = size;
        for place in &self.sending {
            if let Some(sending) = &mut self.streams[*place].sending {
                sending.window += by;
            }
        }
    }
}

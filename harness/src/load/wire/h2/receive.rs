//! What arrives of an answer: DATA and header blocks.

use super::frame::{Frame, flag};
use super::{Broken, H2, LONGEST_BLOCK, REMEMBERED, Remembered, STREAM_WINDOW, put_reset, put_window_update};
use crate::load::sample::Sink;
use crate::load::wire::desk::Desk;
use crate::load::wire::head::Head;
use crate::load::wire::outbox::Outbox;

impl H2 {
    pub(super) fn data<S: Sink>(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) -> Result<(), Broken> {
        self.received += frame.length;
        // Of a stream that was cancelled.
        let Some(place) = self.find(frame.stream) else {
            return Ok(());
        };
        let data = frame.content(payload)?;
        let call = &mut self.streams[place].call;
        if call.head.is_none() {
            return Err("DATA before the head of an answer");
        }
        call.data(data, desk);
        let ends = frame.has(flag::END_STREAM);
        if let Some(outcome) = call.early_end() {
            if !ends {
                put_reset(frame.stream, out.bytes());
            }
            self.finish(place, outcome, home, desk);
        } else if ends {
            let outcome = call.end(None, desk);
            self.end(place, outcome, out, home, desk);
        } else {
            call.received += frame.length;
            if call.received >= STREAM_WINDOW as usize / 2 {
                put_window_update(frame.stream, call.received as u32, out.bytes());
                call.received = 0;
            }
        }
        Ok(())
    }

    pub(super) fn continuation<S: Sink>(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) -> Result<(), Broken> {
        let Some((first, mut block)) = self.open_block.take() else {
            return Err("a CONTINUATION of nothing");
        };
        if first.stream != frame.stream || block.len() + payload.len() > LONGEST_BLOCK {
            return Err("a header block that is too long, or goes on in another stream");
        }
        block.extend_from_slice(payload);
        if frame.has(flag::END_HEADERS) {
            return self.block(first, &block, out, home, desk);
        }
        self.open_block = Some((first, block));
        Ok(())
    }

    pub(super) fn block<S: Sink>(
        &mut self,
        frame: Frame,
        block: &[u8],
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) -> Result<(), Broken> {
        let head = self.read(block)?;
        let Some(place) = self.find(frame.stream) else {
            return Ok(());
        };
        let call = &mut self.streams[place].call;
        let ends = frame.has(flag::END_STREAM);
        let outcome = match call.head {
            Some(_) if !ends => return Err("trailers that do not end their stream"),
            Some(_) => call.end(Some(&head), desk),
            None if head.is_informational() && !ends => return Ok(()),
            None if head.http == 0 => return Err("the head of an answer without :status"),
            None => {
                call.take_head(head, self.protocol, desk);
                if !ends {
                    return Ok(());
                }
                call.end(None, desk)
            }
        };
        self.end(place, outcome, out, home, desk);
        Ok(())
    }

    /// What a block says; bytes that were read before, in the same state of the table, say the same.
    fn read(&mut self, block: &[u8]) -> Result<Head, Broken> {
        let generation = self.decoder.generation();
        let known = self.remembered.iter();
        let mut known = known.filter(|known| known.generation == generation && known.block == block);
        if let Some(known) = known.next() {
            return Ok(known.head);
        }
        let mut head = Head::default();
        self.decoder.decode(block, |name, value| head.field(name, value))?;
        if self.decoder.generation() == generation {
            let new = Remembered {
                block: block.to_vec(),
                generation,
                head,
            };
            match self.remembered.get_mut(self.oldest) {
                Some(old) => *old = new,
                None => self.remembered.push(new),
            }
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        Ok(head)
    }
}

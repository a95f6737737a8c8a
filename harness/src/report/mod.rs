//! Reports: two live listeners, [`console`] and [`log`], and pure renders of a record ([`json`], [`junit`],
//! [`markdown`], [`html`]) that [`store`] keeps in a run folder. [`stored`] shows what a new one
//! comes to beside older ones.
//!
//! Renderers see records, never a client or a channel. Everything that a target, a scenario or a user wrote passes
//! [`escape::visible`] before it is shown anywhere, so that no answer of a target can steer a terminal, a browser, a
//! Markdown renderer, an XML parser or a CI runner.

pub mod capacity;
pub mod ci;
pub mod console;
pub mod coverage;
pub mod doctor;
pub mod escape;
pub mod failure;
pub mod html;
pub mod json;
pub mod junit;
mod line;
pub mod load;
pub mod log;
pub mod markdown;
pub mod standing;
pub mod store;
pub mod stored;
pub mod text;

#[cfg(test)]
mod sample;

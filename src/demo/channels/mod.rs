//! What does each channel write down of a visit? One file a channel.

mod email;
mod phone;
mod store;
mod web;

//! The kit: every part that pages are made of.
//!
//! Parts are plain functions over plain data that return one concrete type. The browser half stays
//! small that way, and a part looks the same on every page.

pub mod bar;
pub mod blank;
pub mod browser;
pub mod chart;
pub mod code;
pub mod confirm;
pub mod field;
pub mod filter;
pub mod form;
#[cfg(feature = "ssr")]
pub mod going;
pub mod heat;
pub mod html;
pub mod icon;
pub mod id;
#[cfg(feature = "ssr")]
pub mod json;
pub mod load;
pub mod nav;
pub mod packed;
pub mod pager;
pub mod palette;
pub mod panel;
pub mod pill;
pub mod stat;
#[cfg(feature = "ssr")]
pub mod strips;
pub mod table;
pub mod tabs;
pub mod theme;
pub mod time;
pub mod timeline;
pub mod toast;

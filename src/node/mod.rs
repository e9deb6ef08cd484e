//! A node: its name, the directory it lives in, and how a program is put into it.

pub mod base_dir;
pub mod dir;
pub mod files;
pub mod name;
pub mod preload_env;

pub use base_dir::BaseDir;
pub use dir::NodeDir;
pub use files::Access;
pub use name::NodeName;

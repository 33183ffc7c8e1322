//! The directory's promises, each as a sentence.

mod admission;
mod support;

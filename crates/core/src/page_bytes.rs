//! Pages bounded by bytes: a listing reads the sizes of its rows first and then only the rows that fit.
//!
//! `octet_length` answers the size of a column without reading it, so a page costs the memory of what it shows.

/// Most bytes of stored documents on one page. One item is always on it, however large.
pub const PAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest body that a listing of the transcript shows. A larger one is read by its number.
pub const BODY_LISTED_BYTES_MAX: u64 = 128 * 1024;

/// How many of the first items fit into `bytes_max` together; at least one if there is any.
pub(crate) fn fitting(sizes: impl IntoIterator<Item = u64>, bytes_max: u64) -> usize {
    let mut bytes = 0_u64;
    let fits = |(index, size): &(usize, u64)| {
        bytes = bytes.saturating_add(*size);
        *index == 0 || bytes <= bytes_max
    };
    sizes.into_iter().enumerate().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_fits_and_at_least_one_item() {
        assert_eq!(fitting([], 10), 0);
        assert_eq!(fitting([100], 10), 1);
        assert_eq!(fitting([100, 1], 10), 1);
        assert_eq!(fitting([4, 6, 1], 10), 2);
        assert_eq!(fitting([u64::MAX, u64::MAX], u64::MAX - 1), 1);
    }
}

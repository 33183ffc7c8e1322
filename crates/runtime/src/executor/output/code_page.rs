//! The code pages of consoles and old files.
//!
//! Most come from `encoding_rs`, which follows the web's tables; 437 and 850, the consoles of the Americas and
//! Western Europe, are not the web's and are here (tables of the Unicode consortium, `VENDORS/MICSFT/PC`).

use encoding_rs::Encoding;

/// Longest character of any of them in bytes.
const CHARACTER_BYTES_MAX: usize = 4;

/// The upper half of code page 437.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
/// The upper half of code page 850.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
    ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// A code page that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodePage {
    number: u16,
    table: Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Half(&'static str),
    Web(&'static Encoding),
}

impl CodePage {
    /// The code page Windows knows by this number; `None` for one that cannot be read.
    pub fn by_number(number: u16) -> Option<Self> {
        let web = |label: &str| Encoding::for_label(label.as_bytes()).map(Table::Web);
        let table = match number {
            437 => Table::Half(CP437),
            850 => Table::Half(CP850),
            866 => web("ibm866")?,
            874 => web("windows-874")?,
            932 => web("shift_jis")?,
            936 => web("gbk")?,
            949 => web("euc-kr")?,
            950 => web("big5")?,
            1250..=1258 => web(&format!("windows-{number}"))?,
            20866 => web("koi8-r")?,
            21866 => web("koi8-u")?,
            28592..=28606 => web(&format!("iso-8859-{}", number - 28590))?,
            54936 => web("gb18030")?,
            _ => return None,
        };
        Some(Self { number, table })
    }

    /// `cp850`, `windows-1252`.
    pub fn name(self) -> String {
        match self.number {
            1250..=1258 => format!("windows-{}", self.number),
            number => format!("cp{number}"),
        }
    }

    /// Appends the first character of `raw`, not empty, and says how many bytes it took; 0: there is none.
    pub(super) fn next(self, raw: &[u8], text: &mut String) -> usize {
        match self.table {
            Table::Half(_) if raw[0] < 0x80 => {
                text.push(char::from(raw[0]));
                1
            }
            Table::Half(upper) => upper.chars().nth(usize::from(raw[0] - 0x80)).map_or(0, |character| {
                text.push(character);
                1
            }),
            Table::Web(encoding) => next_web(encoding, raw, text),
        }
    }
}

fn next_web(encoding: &'static Encoding, raw: &[u8], text: &mut String) -> usize {
    let lengths = 1..=raw.len().min(CHARACTER_BYTES_MAX);
    for length in lengths {
        let decoded = encoding.decode_without_bom_handling_and_without_replacement(&raw[..length]);
        if let Some(decoded) = decoded.filter(|decoded| !decoded.is_empty()) {
            text.push_str(&decoded);
            return length;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::output::{Capture, Undecodable};

    fn read(number: u16, raw: &[u8]) -> (String, Option<String>) {
        let mut capture = Capture::new(1_000);
        capture.push(raw);
        let output = capture.finish(Undecodable::CodePage(CodePage::by_number(number).unwrap()));
        assert_eq!(output.dropped_bytes, 0);
        (output.head, output.encoding)
    }

    #[test]
    fn the_consoles_of_windows_are_read() {
        assert_eq!(read(850, b"Gr\x94\xE1e \xD5").0, "Größe ı");
        assert_eq!(read(437, b"\xC9\xCD\xBB \xE0").0, "╔═╗ α");
        assert_eq!(read(1252, b"\x80 5 \xFCber").0, "€ 5 über");
        assert_eq!(read(1251, b"\xCE\xF8\xE8\xE1\xEA\xE0").0, "Ошибка");
        assert_eq!(read(932, b"\x83G\x83\x89\x81[ x\xB1").0, "エラー xｱ");
        assert_eq!(read(866, b"\x8E\xE8").0, "Ош");
        assert_eq!(read(850, b"\x94").1.as_deref(), Some("cp850"));
        assert_eq!(read(1252, b"\xFC").1.as_deref(), Some("windows-1252"));
    }

    #[test]
    fn utf_8_stays_utf_8_whatever_the_code_page() {
        assert_eq!(read(1252, "über".as_bytes()), ("über".into(), None));
    }

    #[test]
    fn what_a_code_page_lacks_is_shown_as_it_is() {
        assert_eq!(read(932, b"\x83G\xFFx\x83").0, "エ\\xFFx\\x83");
        assert_eq!((CP437.chars().count(), CP850.chars().count()), (128, 128));
        assert_eq!(CodePage::by_number(65000), None);
    }
}

//! What /proc says of a descriptor.

use core::ffi::CStr;

/// The clock of a timer's descriptor; `None` if it is none.
pub fn clock_of_timer(descriptor: i32) -> Option<i32> {
    let mut path = *b"/proc/self/fdinfo/\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut digits = [0_u8; 10];
    let mut rest = u32::try_from(descriptor).ok()?;
    let mut length = 0;
    loop {
        *digits.get_mut(length)? = b'0' + (rest % 10) as u8;
        length += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let name = path.get_mut(18..)?;
    for (to, digit) in name.iter_mut().zip(digits.get(..length)?.iter().rev()) {
        *to = *digit;
    }
    let file = super::open_read(CStr::from_bytes_until_nul(&path).ok()?).ok()?;
    let mut text = [0_u8; 512];
    let read = super::read(&file, &mut text).ok()?;
    let text = text.get(..read)?;
    const KEY: &[u8] = b"\nclockid: ";
    let at = text.windows(KEY.len()).position(|window| window == KEY)?;
    let digits = text.get(at + KEY.len()..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits.map(|byte| i32::from(byte - b'0')).reduce(|number, digit| number * 10 + digit)
}

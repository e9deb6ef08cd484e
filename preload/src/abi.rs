//! The C types and numbers of clock reads, as Linux on 64-bit machines lays them out.
//!
//! Source: `include/uapi/linux/time.h`, `time_types.h` and `timex.h` of the kernel; glibc and musl agree with them.

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Timespec {
    pub sec: i64,
    pub nsec: i64,
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timeval {
    pub sec: i64,
    pub usec: i64,
}

/// `struct timeb` of `ftime`.
#[repr(C)]
pub struct Timeb {
    pub time: i64,
    pub millitm: u16,
    pub timezone: i16,
    pub dstflag: i16,
}

/// `struct timex` of `adjtimex`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Timex {
    pub modes: u32,
    pub offset: i64,
    pub freq: i64,
    pub maxerror: i64,
    pub esterror: i64,
    pub status: i32,
    pub constant: i64,
    pub precision: i64,
    pub tolerance: i64,
    pub time_sec: i64,
    pub time_usec: i64,
    pub tick: i64,
    pub ppsfreq: i64,
    pub jitter: i64,
    pub shift: i32,
    pub stabil: i64,
    pub jitcnt: i64,
    pub calcnt: i64,
    pub errcnt: i64,
    pub stbcnt: i64,
    pub tai: i32,
    _reserved: [i32; 11],
}

/// `struct ntptimeval` of `ntp_gettime` and `ntp_gettimex`.
#[repr(C)]
pub struct NtpTimeval {
    pub time: Timeval,
    pub maxerror: i64,
    pub esterror: i64,
    /// Only `ntp_gettimex` writes from here on.
    pub tai: i64,
    pub reserved: [i64; 4],
}

const _: () = assert!(core::mem::size_of::<Timex>() == 208 && core::mem::offset_of!(Timex, time_sec) == 72);

/// Modes of a `timex`, as the kernel names them. The C library's names are of two of them together.
pub const ADJ_OFFSET_SINGLESHOT: u32 = 0x0001;
pub const ADJ_SETOFFSET: u32 = 0x0100;
pub const ADJ_OFFSET_READONLY: u32 = 0x2000;
/// The older `adjtime`, whose offset is slewed once.
pub const ADJ_ADJTIME: u32 = 0x8000;

/// `STA_NANO`: the time of a `timex` is in nanoseconds.
pub const STA_NANO: i32 = 0x2000;

/// Clock ids.
pub mod clock {
    pub const REALTIME: i32 = 0;
    pub const MONOTONIC: i32 = 1;
    pub const MONOTONIC_RAW: i32 = 4;
    pub const REALTIME_COARSE: i32 = 5;
    pub const MONOTONIC_COARSE: i32 = 6;
    pub const BOOTTIME: i32 = 7;
    pub const REALTIME_ALARM: i32 = 8;
    pub const BOOTTIME_ALARM: i32 = 9;
    pub const TAI: i32 = 11;
}

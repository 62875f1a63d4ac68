//! Which file systems are not this machine's alone.

/// File systems whose locks other machines do not see, or see late, or lose on a reconnect; and
/// FUSE, behind which anything can be.
pub const REMOTE: [(u32, &str); 18] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x7375_7245, "Coda"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

/// The name of a file system of other machines, by its magic number; its type differs between C libraries.
#[must_use]
pub fn remote<N>(kind: N) -> Option<&'static str>
where
    u32: TryFrom<N>,
{
    let kind = u32::try_from(kind).ok()?;
    let found = REMOTE.iter().find(|(magic, _)| *magic == kind);
    found.map(|(_, name)| *name)
}

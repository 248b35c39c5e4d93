using System.Buffers.Binary;
using System.Text;

namespace Mamba.Managed.Checkpoints;

/// <summary>The central directory of a zip archive whose entries are stored uncompressed, so that each can be mapped in place.</summary>
/// <remarks>
/// <code>
/// | local header, name, extra, data | ... | central directory | [zip64 end, locator] | end record |
/// </code>
/// Layout from PKWARE's APPNOTE 6.3.10. Compressed entries are rejected, so no entry can be larger than the file.
/// </remarks>
internal sealed class ZipDirectory
{
    private const int EndLength = 22;
    private const int LocatorLength = 20;
    private const int Zip64EndLength = 56;
    private const int EntryLength = 46;
    private const int LocalLength = 30;
    private const int MaxComment = ushort.MaxValue;
    private const int MaxDirectoryLength = 1 << 24;
    private const int MaxEntries = TensorRegion.MaxCount + 64;
    private const ushort Zip64Field = 1;

    private readonly FileStream file;
    private readonly Dictionary<string, Entry> entries = [];
    private readonly long dataEnd;

    private ZipDirectory(FileStream file, long dataEnd)
    {
        this.file = file;
        this.dataEnd = dataEnd;
    }

    /// <summary>The names of all entries, in the order of the directory.</summary>
    public IEnumerable<string> Names => entries.Keys;

    /// <summary>Reads the directory; an entry is checked when it is located.</summary>
    /// <exception cref="InvalidDataException">There is no directory, or it contradicts itself or the file's length.</exception>
    public static ZipDirectory Read(FileStream file)
    {
        (long offset, long length) = FindDirectory(file);
        if (offset < 0 || length is < 0 or > MaxDirectoryLength || offset > file.Length - length)
        {
            throw new InvalidDataException(Throw.Invariant(
                $"expected a zip directory of at most {MaxDirectoryLength} bytes within {file.Length}, found {length} bytes at {offset}"));
        }

        ZipDirectory directory = new(file, offset);
        ReadOnlySpan<byte> rest = UntrustedFile.ReadBytes(file, offset, (int)length);
        while (!rest.IsEmpty)
        {
            rest = rest[directory.Add(rest)..];
        }

        return directory;
    }

    /// <summary>Whether there is an entry of this name.</summary>
    public bool Contains(string name) => entries.ContainsKey(name);

    /// <summary>Where the bytes of an entry lie in the file.</summary>
    /// <exception cref="InvalidDataException">There is no such entry, it is compressed, or it does not lie before the directory.</exception>
    public (long Offset, long Length) Locate(string name)
    {
        if (!entries.TryGetValue(name, out Entry entry))
        {
            throw new InvalidDataException($"expected an entry {Shortened.Text(name)} in the archive, found none; the file is not complete");
        }

        if (!entry.IsStored)
        {
            throw new InvalidDataException($"{Shortened.Text(name)}: expected a stored entry, found one that is compressed or encrypted; write the file again with torch.save");
        }

        if (entry.Header > dataEnd - LocalLength)
        {
            throw OutOfRange(name);
        }

        ReadOnlySpan<byte> local = UntrustedFile.ReadBytes(file, entry.Header, LocalLength);
        long offset = entry.Header + LocalLength + U16(local, 26) + U16(local, 28);
        return local.StartsWith("PK\x3\x4"u8) && offset <= dataEnd - entry.Length ? (offset, entry.Length) : throw OutOfRange(name);
    }

    /// <summary>A copy of the bytes of a small entry.</summary>
    public byte[] ReadBytes(string name, int mostBytes)
    {
        (long offset, long length) = Locate(name);
        return length <= mostBytes
            ? UntrustedFile.ReadBytes(file, offset, (int)length)
            : throw new InvalidDataException(Throw.Invariant($"{Shortened.Text(name)}: expected at most {mostBytes} bytes, found {length}"));
    }

    private static (long Offset, long Length) FindDirectory(FileStream file)
    {
        int tailLength = (int)Math.Min(file.Length, MaxComment + EndLength);
        long tailStart = file.Length - tailLength;
        ReadOnlySpan<byte> tail = UntrustedFile.ReadBytes(file, tailStart, tailLength);
        for (int at = tailLength - EndLength; at >= 0; at--)
        {
            ReadOnlySpan<byte> end = tail[at..];
            if (end.StartsWith("PK\x5\x6"u8) && U16(end, 20) == end.Length - EndLength)
            {
                bool isZip64 = U16(end, 10) == ushort.MaxValue || U32(end, 12) == uint.MaxValue || U32(end, 16) == uint.MaxValue;
                return isZip64 ? FindZip64Directory(file, tailStart + at) : (U32(end, 16), U32(end, 12));
            }
        }

        throw new InvalidDataException(
            "expected a zip archive as torch.save writes since PyTorch 1.6, found no directory at its end; the file is not complete, or of another kind: download it again");
    }

    private static (long Offset, long Length) FindZip64Directory(FileStream file, long endOffset)
    {
        if (endOffset >= LocatorLength + Zip64EndLength)
        {
            ReadOnlySpan<byte> locator = UntrustedFile.ReadBytes(file, endOffset - LocatorLength, LocatorLength);
            long offset = I64(locator, 8);
            if (locator.StartsWith("PK\x6\x7"u8) && offset >= 0 && offset <= endOffset - LocatorLength - Zip64EndLength)
            {
                ReadOnlySpan<byte> end = UntrustedFile.ReadBytes(file, offset, Zip64EndLength);
                if (end.StartsWith("PK\x6\x6"u8))
                {
                    return (I64(end, 48), I64(end, 40));
                }
            }
        }

        throw new InvalidDataException("expected a zip64 end record, found none; the file is damaged");
    }

    /// <summary>Adds the first entry of the remaining directory and returns its length in bytes.</summary>
    private int Add(ReadOnlySpan<byte> rest)
    {
        if (rest.Length < EntryLength || !rest.StartsWith("PK\x1\x2"u8))
        {
            throw new InvalidDataException("expected an entry of the zip directory, found other bytes; the file is damaged");
        }

        int nameLength = U16(rest, 28), extraLength = U16(rest, 30), length = EntryLength + nameLength + extraLength + U16(rest, 32);
        if (length > rest.Length)
        {
            throw new InvalidDataException("expected an entry within the zip directory, found a longer one; the file is damaged");
        }

        UntrustedFile.RequireUtf8(rest.Slice(EntryLength, nameLength));
        string name = Encoding.UTF8.GetString(rest.Slice(EntryLength, nameLength));
        (long unpacked, long packed, long header) = Sizes(name, rest, rest.Slice(EntryLength + nameLength, extraLength));
        if (header < 0 || unpacked < 0 || header > dataEnd || unpacked > dataEnd)
        {
            throw OutOfRange(name);
        }

        bool isStored = U16(rest, 10) == 0 && (U16(rest, 8) & 1) == 0 && packed == unpacked;
        if (!entries.TryAdd(name, new Entry(header, unpacked, isStored)) || entries.Count > MaxEntries)
        {
            throw new InvalidDataException(Throw.Invariant($"{Shortened.Text(name)}: expected each name once and at most {MaxEntries} entries, found more"));
        }

        return length;
    }

    /// <summary>The sizes and the offset of an entry; values that do not fit 32 bits are in the zip64 field, in this order.</summary>
    private static (long Unpacked, long Packed, long Header) Sizes(string name, ReadOnlySpan<byte> entry, ReadOnlySpan<byte> extra)
    {
        while (extra.Length >= 4 && U16(extra, 0) != Zip64Field)
        {
            extra = extra[Math.Min(extra.Length, 4 + U16(extra, 2))..];
        }

        ReadOnlySpan<byte> wide = extra.Length >= 4 ? extra.Slice(4, Math.Min(extra.Length - 4, U16(extra, 2))) : [];
        return (Next(name, U32(entry, 24), ref wide), Next(name, U32(entry, 20), ref wide), Next(name, U32(entry, 42), ref wide));

        static long Next(string name, uint value, ref ReadOnlySpan<byte> wide)
        {
            if (value != uint.MaxValue)
            {
                return value;
            }

            if (wide.Length < sizeof(long))
            {
                throw OutOfRange(name);
            }

            long next = I64(wide, 0);
            wide = wide[sizeof(long)..];
            return next;
        }
    }

    private static InvalidDataException OutOfRange(string name) =>
        new($"{Shortened.Text(name)}: expected an entry that lies before the zip directory, found one out of range; the file is damaged");

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    private readonly record struct Entry(long Header, long Length, bool IsStored);
}

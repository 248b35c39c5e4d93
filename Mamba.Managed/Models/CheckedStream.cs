using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Models;

/// <summary>Writes little-endian bytes and, at the end, the CRC-32C of them all.</summary>
internal sealed class CheckedWriter(Stream stream)
{
    private uint checksum;

    /// <summary>Writes bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        checksum = Crc32C.Add(checksum, bytes);
    }

    /// <summary>Writes numbers; their order in memory may be changed.</summary>
    public void Write(Span<float> values)
    {
        Crc32C.ToLittleEndian(values);
        Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Writes the checksum.</summary>
    public void End()
    {
        Span<byte> end = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(end, checksum);
        stream.Write(end);
    }
}

/// <summary>Reads what <see cref="CheckedWriter"/> wrote. Memory grows with the bytes found, to at most twice them, whatever length a file claims.</summary>
internal sealed class CheckedReader(Stream stream)
{
    private const int FirstLength = 1 << 16;

    private uint checksum;

    /// <summary>Reads <paramref name="count"/> bytes.</summary>
    /// <exception cref="InvalidDataException">The stream ends before.</exception>
    public byte[] Read(int count) => Read<byte>(count);

    /// <summary>Reads <paramref name="count"/> numbers.</summary>
    /// <exception cref="InvalidDataException">The stream ends before.</exception>
    public float[] ReadFloats(int count)
    {
        float[] values = Read<float>(count);
        Crc32C.ToLittleEndian(values);
        return values;
    }

    /// <summary>Reads <paramref name="count"/> numbers, in the order of the file.</summary>
    /// <exception cref="InvalidDataException">The stream ends before.</exception>
    public Half[] ReadHalves(int count) => Read<Half>(count);

    /// <summary>Reads the checksum.</summary>
    /// <exception cref="InvalidDataException">It is missing, or not that of what was read.</exception>
    public void End()
    {
        uint expected = checksum;
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(Read(sizeof(uint)));
        Throw.Unless(stored == expected, $"expected the checksum {expected:x8}, found {stored:x8}; the saved state is damaged");
    }

    private T[] Read<T>(int count)
        where T : unmanaged
    {
        // A stream that knows its length shows whether there is as much as a file claims.
        bool isThere = stream.CanSeek && (stream.Length - stream.Position) / Unsafe.SizeOf<T>() >= count;
        T[] values = GC.AllocateUninitializedArray<T>(isThere ? count : Math.Min(count, FirstLength));
        for (int have = 0; have < count; have = values.Length)
        {
            if (have > 0)
            {
                Array.Resize(ref values, (int)Math.Min(count, 2L * have));
            }

            Fill(MemoryMarshal.AsBytes(values.AsSpan(have)));
        }

        return values;
    }

    private void Fill(Span<byte> bytes)
    {
        int found = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        Throw.Unless(found == bytes.Length, $"expected {bytes.Length - found} more bytes, found the end; the saved state is truncated");
        checksum = Crc32C.Add(checksum, bytes);
    }
}

/// <summary>CRC-32C (Castagnoli), and the little-endian order of the bytes over which it is computed.</summary>
internal static class Crc32C
{
    /// <summary>Continues a checksum over more bytes.</summary>
    public static uint Add(uint checksum, ReadOnlySpan<byte> bytes)
    {
        checksum = ~checksum;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            checksum = BitOperations.Crc32C(checksum, value);
        }

        return ~checksum;
    }

    /// <summary>Converts between the machine's byte order and little-endian, in place.</summary>
    public static void ToLittleEndian(Span<float> values)
    {
        if (!BitConverter.IsLittleEndian)
        {
            Span<int> words = MemoryMarshal.Cast<float, int>(values);
            BinaryPrimitives.ReverseEndianness(words, words);
        }
    }
}

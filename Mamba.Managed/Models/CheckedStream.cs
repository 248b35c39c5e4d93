using System.Buffers.Binary;
using System.Numerics;
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

/// <summary>Reads what <see cref="CheckedWriter"/> wrote; a stranger's numbers reserve no more memory than twice what is there to be read.</summary>
internal sealed class CheckedReader(Stream stream)
{
    private const int FirstLength = 1 << 16;

    private uint checksum;

    /// <summary>Reads so many bytes.</summary>
    /// <exception cref="InvalidDataException">There are not so many.</exception>
    public byte[] Read(int count) => Read<byte>(count);

    /// <summary>Reads so many numbers.</summary>
    /// <exception cref="InvalidDataException">There are not so many.</exception>
    public float[] ReadFloats(int count)
    {
        float[] values = Read<float>(count);
        Crc32C.ToLittleEndian(values);
        return values;
    }

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
        T[] values = new T[Math.Min(count, FirstLength)];
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

/// <summary>The checksum of Castagnoli, and the order of bytes over which it is taken.</summary>
internal static class Crc32C
{
    /// <summary>The checksum of some bytes and of more after them.</summary>
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

    /// <summary>From the machine's order of bytes, or back to it.</summary>
    public static void ToLittleEndian(Span<float> values)
    {
        if (!BitConverter.IsLittleEndian)
        {
            Span<int> words = MemoryMarshal.Cast<float, int>(values);
            BinaryPrimitives.ReverseEndianness(words, words);
        }
    }
}

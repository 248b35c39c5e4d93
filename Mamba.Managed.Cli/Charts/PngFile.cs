using System.Buffers.Binary;
using System.IO.Compression;

namespace Mamba.Managed.Cli.Charts;

/// <summary>Writes pixels as a PNG file (RFC 2083).</summary>
internal static class PngFile
{
    private const byte BitsPerChannel = 8;
    private const byte TrueColor = 2;
    private const byte NoFilter = 0;
    private const uint Polynomial = 0xEDB88320;

    /// <summary>Encodes a picture.</summary>
    /// <param name="pixels">[height, width, 3]: red, green, blue.</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="height">Rows.</param>
    public static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height)
    {
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9], header[10], header[11], header[12]) = (BitsPerChannel, TrueColor, 0, 0, 0);
        using MemoryStream rows = new();
        using (ZLibStream compressed = new(rows, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            for (int row = 0; row < height; row++)
            {
                compressed.WriteByte(NoFilter);
                compressed.Write(pixels.Slice(3 * width * row, 3 * width));
            }
        }

        using MemoryStream file = new();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        Chunk(file, "IHDR"u8, header);
        Chunk(file, "IDAT"u8, rows.ToArray());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(name);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Checksum(Checksum(uint.MaxValue, name), data));
        file.Write(number);
    }

    // CRC-32 of a whole picture takes a few milliseconds bit by bit, so no table is needed.
    private static uint Checksum(uint sum, ReadOnlySpan<byte> data)
    {
        foreach (byte value in data)
        {
            sum ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                sum = (sum >> 1) ^ (Polynomial & (0 - (sum & 1)));
            }
        }

        return sum;
    }
}

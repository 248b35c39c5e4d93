using System.Text;

namespace Mamba.Managed;

/// <summary>Text of files as people write it: in UTF-8, with or without a byte-order mark, which is no part of the text.</summary>
internal static class Utf8Text
{
    // How many of a file's first bytes tell how its text is encoded.
    private const int HeadLength = 4;

    private static readonly UTF8Encoding strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The byte-order mark.</summary>
    public static ReadOnlySpan<byte> Mark => [0xEF, 0xBB, 0xBF];

    /// <summary>The length of the byte-order mark: 3, or 0 where there is none.</summary>
    /// <param name="file">At its first byte; where it stands afterwards is not said.</param>
    /// <exception cref="InvalidDataException">The text is in UTF-16 or UTF-32.</exception>
    public static int MarkLength(FileStream file)
    {
        Span<byte> head = stackalloc byte[HeadLength];
        return MarkLength(head[..file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)]);
    }

    /// <summary>The length of the byte-order mark: 3, or 0 where there is none.</summary>
    /// <param name="text">A text; its first bytes suffice.</param>
    /// <exception cref="InvalidDataException">The text is in UTF-16 or UTF-32.</exception>
    public static int MarkLength(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> head = text[..Math.Min(HeadLength, text.Length)];
        bool isMarked = head.StartsWith<byte>([0xFF, 0xFE]) || head.StartsWith<byte>([0xFE, 0xFF]);
        bool isWide = head is [0, not 0, 0, not 0, ..] or [not 0, 0, not 0, 0, ..] or [0, 0, 0, not 0, ..] or [not 0, 0, 0, 0, ..];
        return isMarked || isWide
            ? throw new InvalidDataException("expected text in UTF-8, found UTF-16 or UTF-32; save the file as UTF-8")
            : head.StartsWith(Mark) ? Mark.Length : 0;
    }

    /// <summary>The text of a whole file, without its mark.</summary>
    /// <exception cref="InvalidDataException">The bytes are in another encoding; the message says where.</exception>
    public static string Decode(ReadOnlySpan<byte> file)
    {
        ReadOnlySpan<byte> text = file[MarkLength(file)..];
        try
        {
            return strict.GetString(text);
        }
        catch (DecoderFallbackException error)
        {
            int at = error.Index + file.Length - text.Length;
            throw new InvalidDataException(Throw.Invariant($"expected text in UTF-8, found other bytes at {at}, in line {file[..at].Count((byte)'\n') + 1}"), error);
        }
    }
}

using System.Globalization;
using System.Text;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary>Text that a command reads: a prompt, or the part of a file on which a model is measured.</summary>
internal static class TextInput
{
    // A prompt may come through a pipe or a device, which need not end.
    private const int LongestPrompt = 256 << 20;
    private const int MostBytesOfLetter = 4;

    /// <summary>The text to go on from.</summary>
    /// <param name="file">A file or a pipe; null for standard input.</param>
    /// <exception cref="InvalidDataException">It is too long, or not in UTF-8.</exception>
    public static string Prompt(string? file)
    {
        string name = file ?? "standard input";
        if (file is null && StandardStreams.InputIsClosed)
        {
            throw new InvalidDataException("standard input: expected a prompt, found it closed; give --prompt or --prompt-file");
        }

        if (file is not null && Directory.Exists(file))
        {
            throw new FileNotFoundException($"{file}: expected a file with a prompt, found a folder", file);
        }

        using Stream stream = file is null ? Console.OpenStandardInput() : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        return UntrustedFile.Named(name, () => Utf8Text.Decode(ReadToEnd(stream)));
    }

    /// <summary>A range of a file's bytes, without the byte-order mark at its beginning.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">How many; 0 for the rest.</param>
    /// <param name="isMost">Whether <paramref name="length"/> may go beyond the end.</param>
    public static byte[] Read(string path, long offset, long length, bool isMost = false) => UntrustedFile.Read(path, file =>
    {
        if (offset >= file.Length || (!isMost && length > file.Length - offset))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"{path}: expected --offset and --length within its {file.Length} bytes, found {offset} and {length}"));
        }

        long start = offset == 0 ? Utf8Text.MarkLength(file) : offset;
        long count = length == 0 ? file.Length - start : Math.Min(length, file.Length - start);
        return count <= Array.MaxLength ? UntrustedFile.ReadBytes(file, start, (int)count) : throw new ArgumentException(string.Create(
            CultureInfo.InvariantCulture, $"{path}: expected at most {Array.MaxLength} bytes at once, found {count}; give --length"));
    });

    /// <summary>The tokens of a text.</summary>
    /// <param name="tokenizer">Bytes, or one of text.</param>
    /// <param name="text">A part of a file, which may begin and end within a letter.</param>
    /// <exception cref="InvalidDataException">There are fewer than two, or the bytes are not UTF-8.</exception>
    public static int[] Tokens(Tokenizer tokenizer, byte[] text)
    {
        int[] tokens = tokenizer is ByteTokenizer ? [.. text.Select(b => (int)b)] : tokenizer.Encode(Utf8Text.Decode(WholeLetters(text)));
        return tokens.Length < 2 ? throw new InvalidDataException("expected at least two tokens of text, found fewer; the first is context only") : tokens;
    }

    private static ReadOnlySpan<byte> ReadToEnd(Stream stream)
    {
        MemoryStream text = new();
        byte[] part = new byte[1 << 16];
        for (int read; (read = stream.Read(part)) > 0;)
        {
            if (text.Length + read > LongestPrompt)
            {
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"expected a prompt of at most {LongestPrompt} bytes, found more"));
            }

            text.Write(part, 0, read);
        }

        return text.GetBuffer().AsSpan(0, (int)text.Length);
    }

    private static ReadOnlySpan<byte> WholeLetters(ReadOnlySpan<byte> text)
    {
        int start = 0, end = text.Length;
        while (start < Math.Min(MostBytesOfLetter, text.Length) && IsContinuation(text[start]))
        {
            start++;
        }

        // A letter whose last bytes were cut off is left out too.
        int last = end - 1;
        while (last > Math.Max(start, end - MostBytesOfLetter) && IsContinuation(text[last]))
        {
            last--;
        }

        bool isCut = last >= start && Rune.DecodeFromUtf8(text[last..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData;
        return text[start..(isCut ? last : end)];
    }

    private static bool IsContinuation(byte value) => (value & 0xC0) == 0x80;
}

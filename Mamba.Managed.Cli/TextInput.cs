using System.Globalization;
using System.Text;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Cli;

/// <summary>The text on which a model is measured: a part of a file, as tokens.</summary>
internal static class TextInput
{
    /// <summary>A range of a file's bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">How many; 0 for the rest.</param>
    public static byte[] Read(string path, long offset, long length)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read);
        if (offset >= file.Length || length > file.Length - offset)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"{path}: expected --offset and --length within its {file.Length} bytes, found {offset} and {length}"));
        }

        long count = length == 0 ? file.Length - offset : length;
        if (count > Array.MaxLength)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{path}: expected at most {Array.MaxLength} bytes at once, found {count}; give --length"));
        }

        byte[] text = new byte[count];
        file.Position = offset;
        file.ReadExactly(text);
        return text;
    }

    /// <summary>The tokens of a text.</summary>
    /// <exception cref="InvalidDataException">There are fewer than two.</exception>
    public static int[] Tokens(Tokenizer tokenizer, byte[] text)
    {
        int[] tokens = tokenizer is ByteTokenizer ? [.. text.Select(b => (int)b)] : tokenizer.Encode(Encoding.UTF8.GetString(text));
        return tokens.Length < 2 ? throw new InvalidDataException("expected at least two tokens of text, found fewer; the first is context only") : tokens;
    }
}

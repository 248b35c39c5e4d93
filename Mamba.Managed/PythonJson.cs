using System.Buffers;

namespace Mamba.Managed;

/// <summary>Makes JSON of what Python's <c>json</c> module writes for numbers that are not finite.</summary>
/// <remarks>
/// Python writes the bare words <c>Infinity</c>, <c>-Infinity</c> and <c>NaN</c>, which no JSON reader takes. Newer writers avoid them with an object
/// of one field: <c>{"__float__": "Infinity"}</c>. The words become such objects here, so that readers know one form.
/// </remarks>
internal static class PythonJson
{
    /// <summary>The field of an object that stands for a number.</summary>
    public const string Field = "__float__";

    /// <summary>The text itself where it has no such words, otherwise a copy with objects in their places.</summary>
    /// <param name="text">UTF-8.</param>
    public static ReadOnlyMemory<byte> ToJson(ReadOnlyMemory<byte> text)
    {
        ReadOnlySpan<byte> rest = text.Span;
        ArrayBufferWriter<byte>? json = null;
        int copied = 0;
        for (int at = 0; at < rest.Length; at++)
        {
            if (rest[at] == '"')
            {
                at = EndOfString(rest, at);
            }
            else if (Word(rest[at..]) is { Length: > 0 } word)
            {
                json ??= new(rest.Length + 256);
                json.Write(rest[copied..at]);
                json.Write("{\"__float__\":\""u8);
                json.Write(word);
                json.Write("\"}"u8);
                copied = at + word.Length;
                at = copied - 1;
            }
        }

        if (json is null)
        {
            return text;
        }

        json.Write(rest[copied..]);
        return json.WrittenMemory;
    }

    // The index of the quote that ends a string, or the end of the text.
    private static int EndOfString(ReadOnlySpan<byte> text, int start)
    {
        int at = start + 1;
        while (at < text.Length && text[at] != '"')
        {
            at += text[at] == '\\' ? 2 : 1;
        }

        return at;
    }

    private static ReadOnlySpan<byte> Word(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> infinity = "-Infinity"u8, nan = "NaN"u8;
        return text[0] switch
        {
            (byte)'-' when text.StartsWith(infinity) => infinity,
            (byte)'I' when text.StartsWith(infinity[1..]) => infinity[1..],
            (byte)'N' when text.StartsWith(nan) => nan,
            _ => default,
        };
    }
}

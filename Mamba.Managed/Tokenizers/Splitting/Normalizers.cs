using System.Text;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Normalizers one after the other.</summary>
internal sealed class NormalizerSequence(IReadOnlyList<INormalizer> parts) : INormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, int most) => parts.Aggregate(text, (normal, part) => part.Normalize(normal, most));
}

/// <summary>Puts a text before every text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : INormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, int most)
    {
        NormalizedLength.Require((long)text.Length + prefix.Length, most);
        return text.Length == 0 ? text : prefix + text;
    }
}

/// <summary>Replaces the matches of an expression by a text.</summary>
internal sealed class ReplaceNormalizer(CodePointRegex pattern, string content) : INormalizer
{
    /// <inheritdoc/>
    public string Normalize(string text, int most)
    {
        List<(int Start, int End)> matches = [];
        pattern.FindAll(text, matches);
        if (matches.Count == 0 || text.Length == 0)
        {
            return text;
        }

        long left = text.Length - matches.Sum(match => (long)match.End - match.Start);
        NormalizedLength.Require(left + ((long)matches.Count * content.Length), most);
        StringBuilder replaced = new(text.Length);
        int last = 0;
        foreach ((int start, int end) in matches)
        {
            replaced.Append(text, last, start - last).Append(content);
            last = end;
        }

        return replaced.Append(text, last, text.Length - last).ToString();
    }
}

/// <summary>Leaves out white space at the ends of a text.</summary>
internal sealed class StripNormalizer(bool left, bool right) : INormalizer
{
    private readonly CharacterSet space = CharacterProperties.Named("space")!;

    /// <inheritdoc/>
    public string Normalize(string text, int most)
    {
        int start = 0, end = text.Length;
        while (left && start < end && space.Contains(text[start]))
        {
            start++;
        }

        while (right && end > start && space.Contains(text[end - 1]))
        {
            end--;
        }

        return text[start..end];
    }
}

/// <summary>Lower case, character by character, whatever stands around it.</summary>
internal sealed class LowercaseNormalizer : INormalizer
{
    private readonly IReadOnlyDictionary<int, string> lower = CharacterData.Instance.Lower;

    /// <inheritdoc/>
    public string Normalize(string text, int most)
    {
        StringBuilder lowered = new(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = lower.TryGetValue(rune.Value, out string? other) ? lowered.Append(other) : lowered.Append(units[..rune.EncodeToUtf16(units)]);
        }

        return lowered.ToString();
    }
}

/// <summary>Leaves out combining marks.</summary>
internal sealed class StripAccentsNormalizer : INormalizer
{
    private readonly CharacterSet accents = CharacterData.Instance.Find("#accents")!;

    /// <inheritdoc/>
    public string Normalize(string text, int most) => string.Concat(text.EnumerateRunes().Where(rune => !accents.Contains(rune.Value)));
}

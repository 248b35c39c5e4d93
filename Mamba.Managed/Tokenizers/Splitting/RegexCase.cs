namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>What equals what when an expression ignores case.</summary>
internal static class RegexCase
{
    /// <summary>A set with what equals its characters.</summary>
    /// <exception cref="InvalidDataException">A character equals several others, as U+00DF and "ss" do, and they are not in the set.</exception>
    public static CharacterSet Widen(CharacterSet set, RegexReader reader, bool isNegative)
    {
        CharacterSet wide = set.Union(CharacterSet.Of(CharacterData.Instance.Folds.Where(fold => fold.Any(set.Contains)).SelectMany(fold => fold).Select(point => (point, point))));
        foreach ((int character, int[] parts) in CharacterData.Instance.LongFolds)
        {
            if (!isNegative && wide.Contains(character) && !parts.All(wide.Contains))
            {
                throw reader.Unsupported($"expected no character that equals several ones when case is ignored, found {char.ConvertFromUtf32(character)}; this is not supported");
            }
        }

        return wide;
    }

    /// <summary>Refuses two characters that together equal a single one, such as "ss" and U+00DF.</summary>
    public static void CheckPair(CharacterSet first, CharacterSet second, RegexReader reader)
    {
        foreach ((int character, int[] parts) in CharacterData.Instance.LongFolds)
        {
            if (first.Contains(parts[0]) && second.Contains(parts[1]))
            {
                throw reader.Unsupported($"expected no characters that equal {char.ConvertFromUtf32(character)} together when case is ignored; this is not supported");
            }
        }
    }
}

using System.Text.Json;
using static Mamba.Managed.Tokenizers.TokenizerJson;

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads the pre-tokenizer of <c>tokenizer.json</c>.</summary>
internal static class PreTokenizerJson
{
    private const string Where = "pre_tokenizer";
    private const int DeepestNesting = 16;

    /// <summary>The pre-tokenizer, or null where there is none.</summary>
    /// <exception cref="InvalidDataException">Its kind or one of its fields is not supported.</exception>
    public static IPreTokenizer? Read(JsonElement? json) => json is { ValueKind: not JsonValueKind.Null } splitter ? Read(splitter, 0) : null;

    private static PreTokenizer Read(JsonElement json, int depth)
    {
        Throw.Unless(depth < DeepestNesting, $"{Where}: expected at most {DeepestNesting} sequences within each other, found more");
        string kind = Text(json, "type", Where);
        switch (kind)
        {
            case "Sequence":
                OnlyKnown(json, Where, "type", "pretokenizers");
                JsonElement parts = Get(json, "pretokenizers", JsonValueKind.Array) ?? throw Missing($"{Where}.pretokenizers");
                return new PreTokenizerSequence([.. parts.EnumerateArray().Select(part => Read(part, depth + 1))]);
            case "Split":
                OnlyKnown(json, Where, "type", "pattern", "behavior", "invert");
                JsonElement pattern = Get(json, "pattern", JsonValueKind.Object) ?? throw Missing($"{Where}.pattern");
                return new SplitPreTokenizer(ReadPattern(pattern, Where), Behavior(json, null), Flag(json, "invert", false));
            case "ByteLevel":
                // Whether offsets are trimmed changes no piece.
                OnlyKnown(json, Where, "type", "add_prefix_space", "trim_offsets", "use_regex");
                return new ByteLevelPreTokenizer(Flag(json, "add_prefix_space", true), Flag(json, "use_regex", true));
            case "Digits":
                OnlyKnown(json, Where, "type", "individual_digits");
                return CharacterSplits.Digits(Flag(json, "individual_digits", false));
            case "Punctuation":
                OnlyKnown(json, Where, "type", "behavior");
                return CharacterSplits.Punctuation(Behavior(json, SplitBehavior.Isolated));
            case "Whitespace":
                OnlyKnown(json, Where, "type");
                return CharacterSplits.Whitespace();
            case "WhitespaceSplit":
                OnlyKnown(json, Where, "type");
                return CharacterSplits.WhitespaceSplit();
            case "BertPreTokenizer":
                OnlyKnown(json, Where, "type");
                return CharacterSplits.Bert();
            case "CharDelimiterSplit":
                OnlyKnown(json, Where, "type", "delimiter");
                return CharacterSplits.Delimiter(Character(json, "delimiter"));
            case "Metaspace":
                OnlyKnown(json, Where, "type", "replacement", "str_rep", "prepend_scheme", "add_prefix_space", "split");
                return new MetaspacePreTokenizer(Character(json, "replacement"), Scheme(json), Flag(json, "split", true));
            default:
                throw new InvalidDataException(
                    $"{Where}.type: expected Sequence, Split, ByteLevel, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit or Metaspace, found {kind}; this kind is not supported");
        }
    }

    /// <summary>A pattern, which is a text itself or an expression.</summary>
    public static CodePointRegex ReadPattern(JsonElement pattern, string where)
    {
        OnlyKnown(pattern, $"{where}.pattern", "String", "Regex");
        if (OptionalText(pattern, "String") is string text)
        {
            return CodePointRegex.Literal(text);
        }

        string expression = Text(pattern, "Regex", $"{where}.pattern");
        try
        {
            return CodePointRegex.Parse(expression);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{where}.pattern: {error.Message}", error);
        }
    }

    private static SplitBehavior Behavior(JsonElement json, SplitBehavior? otherwise)
    {
        string? name = OptionalText(json, "behavior");
        return name switch
        {
            null => otherwise ?? throw Missing($"{Where}.behavior"),
            "Removed" => SplitBehavior.Removed,
            "Isolated" => SplitBehavior.Isolated,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            _ => throw new InvalidDataException($"{Where}.behavior: expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous, found {name}"),
        };
    }

    // Older files say only whether a mark is put before.
    private static PrependScheme Scheme(JsonElement json)
    {
        string? name = OptionalText(json, "prepend_scheme");
        PrependScheme scheme = name switch
        {
            null => Flag(json, "add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never,
            "always" => PrependScheme.Always,
            "never" => PrependScheme.Never,
            "first" => PrependScheme.First,
            _ => throw new InvalidDataException($"{Where}.prepend_scheme: expected always, never or first, found {name}"),
        };
        bool contradicts = scheme != PrependScheme.Never && !Flag(json, "add_prefix_space", true);
        Throw.Unless(!contradicts, $"{Where}: expected prepend_scheme never where add_prefix_space is false, found {name}");
        return scheme;
    }

    private static string Character(JsonElement json, string name)
    {
        string text = Text(json, name, Where);
        Throw.Unless(text.EnumerateRunes().Count() == 1, $"{Where}.{name}: expected one character, found '{text}'");
        return text;
    }
}

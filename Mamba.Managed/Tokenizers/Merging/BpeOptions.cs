namespace Mamba.Managed.Tokenizers.Merging;

/// <summary>How byte-pair encoding treats what is special, as <c>tokenizer.json</c> says it under <c>model</c>.</summary>
internal sealed record BpeOptions
{
    /// <summary>Whether a character that is no token becomes the tokens of its UTF-8 bytes, <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
    public bool UsesByteTokens { get; init; }

    /// <summary>The token for characters that are none; null to leave them out.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether unknown characters side by side become one unknown token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether a word that is a token as a whole is that token, whatever the merges make of it.</summary>
    public bool TakesWholeWords { get; init; }

    /// <summary>What the vocabulary puts before characters within a word; empty for nothing.</summary>
    public string InnerPrefix { get; init; } = "";

    /// <summary>What the vocabulary puts after the last character of a word; empty for nothing.</summary>
    public string EndSuffix { get; init; } = "";
}

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Pre-tokenizers that cut at kinds of characters.</summary>
/// <remarks>Their kinds follow other versions of Unicode than expressions do, and the tables keep them apart.</remarks>
internal static class CharacterSplits
{
    private static CharacterSet Space => CharacterProperties.Named("space")!;

    // Rust's expressions count joiners as parts of words; Oniguruma's do not.
    private static CharacterSet Word => CharacterProperties.Named("word")!.Union(CharacterSet.Range(0x200C, 0x200D));

    private static CharacterSet PunctuationMarks => CharacterData.Instance.Find("#punctuation")!;

    /// <summary>Cuts out digits, each or each run of them.</summary>
    public static PreTokenizer Digits(bool areIndividual) =>
        new SplitPreTokenizer(CodePointRegex.OneOf(CharacterData.Instance.Find("#numeric")!), areIndividual ? SplitBehavior.Isolated : SplitBehavior.Contiguous);

    /// <summary>Cuts at punctuation marks.</summary>
    public static PreTokenizer Punctuation(SplitBehavior behavior) => new SplitPreTokenizer(CodePointRegex.OneOf(PunctuationMarks), behavior);

    /// <summary>Words and runs of what is neither a word nor space.</summary>
    public static PreTokenizer Whitespace() => new SplitPreTokenizer(
        CodePointRegex.Of(new RegexNode.Alternatives([Some(Word), Some(Word.Union(Space).Complement())])), SplitBehavior.Removed, invert: true);

    /// <summary>What lies between spaces.</summary>
    public static PreTokenizer WhitespaceSplit() => new SplitPreTokenizer(CodePointRegex.OneOf(Space), SplitBehavior.Removed);

    /// <summary>What lies between spaces, with punctuation marks cut out.</summary>
    public static PreTokenizer Bert() => new PreTokenizerSequence([WhitespaceSplit(), Punctuation(SplitBehavior.Isolated)]);

    /// <summary>What lies between two of one character.</summary>
    public static PreTokenizer Delimiter(string delimiter) => new SplitPreTokenizer(CodePointRegex.Literal(delimiter), SplitBehavior.Removed);

    private static RegexNode.Repeat Some(CharacterSet set) => new(new RegexNode.One(set), 1, RegexNode.NoLimit, IsLazy: false);
}

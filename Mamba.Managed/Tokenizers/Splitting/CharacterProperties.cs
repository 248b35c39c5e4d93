namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>The character classes that expressions have names for, as Oniguruma defines them.</summary>
internal static class CharacterProperties
{
    // General categories by their long names; scripts and short names are in the tables.
    private static readonly Dictionary<string, string> LongNames = new(StringComparer.Ordinal)
    {
        ["letter"] = "l", ["casedletter"] = "lc", ["uppercaseletter"] = "lu", ["lowercaseletter"] = "ll", ["titlecaseletter"] = "lt",
        ["modifierletter"] = "lm", ["otherletter"] = "lo", ["mark"] = "m", ["combiningmark"] = "m", ["nonspacingmark"] = "mn", ["spacingmark"] = "mc",
        ["enclosingmark"] = "me", ["number"] = "n", ["decimalnumber"] = "nd", ["letternumber"] = "nl", ["othernumber"] = "no", ["punctuation"] = "p",
        ["connectorpunctuation"] = "pc", ["dashpunctuation"] = "pd", ["openpunctuation"] = "ps", ["closepunctuation"] = "pe",
        ["initialpunctuation"] = "pi", ["finalpunctuation"] = "pf", ["otherpunctuation"] = "po", ["symbol"] = "s", ["mathsymbol"] = "sm",
        ["currencysymbol"] = "sc", ["modifiersymbol"] = "sk", ["othersymbol"] = "so", ["separator"] = "z", ["spaceseparator"] = "zs",
        ["lineseparator"] = "zl", ["paragraphseparator"] = "zp", ["other"] = "c", ["control"] = "cc", ["format"] = "cf", ["privateuse"] = "co",
        ["unassigned"] = "cn", ["surrogate"] = "cs",
    };

    private static readonly Dictionary<string, string[]> Unions = new(StringComparer.Ordinal)
    {
        ["l"] = ["lu", "ll", "lt", "lm", "lo"], ["lc"] = ["lu", "ll", "lt"], ["m"] = ["mn", "mc", "me"], ["n"] = ["nd", "nl", "no"],
        ["p"] = ["pc", "pd", "ps", "pe", "pi", "pf", "po"], ["s"] = ["sm", "sc", "sk", "so"], ["z"] = ["zs", "zl", "zp"], ["c"] = ["cc", "cf", "co", "cn"],
        ["assigned"] = ["l", "m", "n", "p", "s", "z", "cc", "cf", "co"],
        ["alnum"] = ["alphabetic", "nd"], ["word"] = ["alphabetic", "m", "nd", "pc"], ["print"] = ["graph", "zs"],
        ["graph"] = ["l", "m", "n", "p", "s", "cf", "co"],
        ["alpha"] = ["alphabetic"], ["upper"] = ["uppercase"], ["lower"] = ["lowercase"], ["space"] = ["whitespace"], ["digit"] = ["nd"], ["cntrl"] = ["cc"],
        ["punct"] = ["p"],
    };

    /// <summary>Hexadecimal digits.</summary>
    public static CharacterSet Hexadecimal { get; } = CharacterSet.Of([('0', '9'), ('A', 'F'), ('a', 'f')]);

    /// <summary>What <c>\w</c> stands for outside brackets, where Oniguruma counts six more numbers than inside.</summary>
    public static CharacterSet WordAlone => Named("word")!.Union(CharacterSet.Of([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)]));

    /// <summary>The class of a property, written as in <c>\p{Lu}</c>; null where the name is not known.</summary>
    public static CharacterSet? Find(string name) =>
        name.Contains('#', StringComparison.Ordinal) ? null : Named(string.Concat(name.Where(c => c is not (' ' or '-' or '_'))).ToLowerInvariant());

    /// <summary>The class of a POSIX bracket, written as in <c>[:alpha:]</c>; null where the name is not known.</summary>
    public static CharacterSet? Posix(string name) => name switch
    {
        "punct" => Named("p")!.Union(Named("s")!),
        "alnum" or "alpha" or "ascii" or "blank" or "cntrl" or "digit" or "graph" or "lower" or "print" or "space" or "upper" or "xdigit" or "word" => Named(name),
        _ => null,
    };

    /// <summary>The class of a name in lower case without spaces, dashes and underscores; null where it is not known.</summary>
    public static CharacterSet? Named(string name) => name switch
    {
        "any" => CharacterSet.All,
        "ascii" => CharacterSet.Range(0, 0x7F),
        "xdigit" => Hexadecimal,
        "blank" => Named("zs")!.Union(CharacterSet.Of('\t')),
        "cs" => CharacterSet.Empty,
        "cn" => Named("assigned")!.Complement(),
        _ when LongNames.TryGetValue(name, out string? code) => Named(code),
        _ when Unions.TryGetValue(name, out string[]? parts) => parts.Select(part => Named(part)!).Aggregate((all, part) => all.Union(part)),
        _ => CharacterData.Instance.Find(name),
    };
}

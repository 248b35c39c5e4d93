using System.Globalization;
using System.Text;
using System.Text.Json;
using Mamba.Managed.Grammars.Schemas;

namespace Mamba.Managed.Grammars;

/// <summary>Reads GBNF, the notation of llama.cpp.</summary>
internal sealed class GbnfReader
{
    private const int MostCharacters = 1 << 20;
    private const int MostRepetitions = 1 << 16;
    private const int DeepestGroup = 64;

    private readonly string text;
    private readonly GrammarRules rules = new();
    private readonly Dictionary<string, int> ids = new(StringComparer.Ordinal);
    private readonly Dictionary<int, int> firstUse = [];
    private readonly HashSet<int> defined = [];
    private int at;

    private GbnfReader(string text) => this.text = text;

    /// <summary>The grammar of a text.</summary>
    /// <exception cref="InvalidDataException">It is not GBNF, or not a grammar that can be followed.</exception>
    public static Grammar Read(string text, IReadOnlyDictionary<string, JsonElement> schemas)
    {
        Throw.Unless(text.Length <= MostCharacters, $"expected a grammar of at most {MostCharacters} characters, found {text.Length}");
        GbnfReader reader = new(text);
        foreach ((string name, JsonElement schema) in schemas)
        {
            Throw.Unless(name.Length > 0 && name.All(IsNameCharacter), $"expected the name of a rule, of letters, digits and hyphens, found '{Shortened.Text(name)}'");
            int rule = JsonSchemaReader.AddTo(reader.rules, schema);
            reader.ids[name] = rule;
            reader.defined.Add(rule);
        }

        return reader.Read();
    }

    private Grammar Read()
    {
        SkipSpace(newLines: true);
        while (at < text.Length)
        {
            ReadRule();
        }

        Throw.Unless(ids.TryGetValue("root", out int root) && defined.Contains(root), $"expected a rule named root, found {(defined.Count == 0 ? "no rule" : "only others")}");
        foreach ((int rule, int place) in firstUse.OrderBy(use => use.Value))
        {
            at = place;
            Check(defined.Contains(rule), "a rule that is defined", $"{rules.NameOf(rule)}, which is not");
        }

        rules.ChooseInlined();
        return new(rules, root);
    }

    private void ReadRule()
    {
        int place = at;
        string name = ReadName();
        int rule = IdOf(name);
        SkipSpace(newLines: false);
        Check(text.AsSpan(at).StartsWith("::="), "::= after the name of a rule", Found());
        at += 3;
        SkipSpace(newLines: true);
        Expression body = ReadAlternatives(0);
        (int end, at) = (at, place);
        Check(defined.Add(rule), "each rule once", $"{Shortened.Text(name)} a second time");
        at = end;
        rules.Set(rule, body);
        Check(at == text.Length || text[at] is '\r' or '\n', "a new line after a rule", Found());
        SkipSpace(newLines: true);
    }

    private Expression ReadAlternatives(int depth)
    {
        List<Expression> alternatives = [ReadSequence(depth)];
        while (at < text.Length && text[at] == '|')
        {
            at++;
            SkipSpace(newLines: true);
            alternatives.Add(ReadSequence(depth));
        }

        return Expression.Any([.. alternatives]);
    }

    private Sequence ReadSequence(int depth)
    {
        List<Expression> items = [];
        while (ReadItem(depth) is { } item)
        {
            SkipSpace(newLines: depth > 0);
            while (ReadRepetition(item) is { } repeated)
            {
                item = repeated;
                SkipSpace(newLines: depth > 0);
            }

            items.Add(item);
        }

        return new(items);
    }

    private Expression? ReadItem(int depth)
    {
        switch (at < text.Length ? text[at] : '\0')
        {
            case '"':
                return ReadLiteral();
            case '[':
                return ReadClass();
            case '.':
                at++;
                return new Characters(CodePointSet.All);
            case '(':
                Check(depth < DeepestGroup, Throw.Invariant($"groups nested to a depth of at most {DeepestGroup}"), "a deeper one");
                at++;
                SkipSpace(newLines: true);
                Expression group = ReadAlternatives(depth + 1);
                Check(at < text.Length && text[at] == ')', "a closing parenthesis", Found());
                at++;
                return group;
            case '<' or '!':
                Check(false, "characters", $"'{text[at]}': tokens by name or number are not supported; write their text");
                return null;
            case char first when IsNameCharacter(first):
                int place = at;
                int rule = IdOf(ReadName());
                firstUse.TryAdd(rule, place);
                return new Call(rule);
            default:
                return null;
        }
    }

    private Expression? ReadRepetition(Expression item)
    {
        switch (at < text.Length ? text[at] : '\0')
        {
            case '*':
                at++;
                return new Repeat(item, 0, null);
            case '+':
                at++;
                return new Repeat(item, 1, null);
            case '?':
                at++;
                return Expression.Optional(item);
            case '{':
                at++;
                return ReadCounts(item);
            default:
                return null;
        }
    }

    private Repeat ReadCounts(Expression item)
    {
        SkipSpace(newLines: false);
        int least = ReadCount(), place = at;
        int? most = least;
        SkipSpace(newLines: false);
        if (at < text.Length && text[at] == ',')
        {
            at++;
            SkipSpace(newLines: false);
            most = at < text.Length && char.IsAsciiDigit(text[at]) ? ReadCount() : null;
            SkipSpace(newLines: false);
        }

        Check(at < text.Length && text[at] == '}', "a closing brace after the numbers of a repetition", Found());
        at++;
        int end = at;
        at = place;
        Check(most is null || most >= least, Throw.Invariant($"a repetition of at least {least}"), Throw.Invariant($"at most {most}"));
        at = end;
        return new(item, least, most);
    }

    private int ReadCount()
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        Check(at > start, "a number of repetitions", Found());
        bool isRead = int.TryParse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int count);
        Check(isRead && count <= MostRepetitions, Throw.Invariant($"at most {MostRepetitions} repetitions"), Shortened.Text(text[start..at]));
        return count;
    }

    private Literal ReadLiteral()
    {
        at++;
        StringBuilder literal = new();
        while (true)
        {
            Check(at < text.Length && text[at] is not ('\r' or '\n'), "a closing quotation mark in the same line", Found());
            if (text[at] == '"')
            {
                at++;
                return new(Encoding.UTF8.GetBytes(literal.ToString()));
            }

            literal.Append(ReadCharacter());
        }
    }

    private Characters ReadClass()
    {
        at++;
        bool isNegated = at < text.Length && text[at] == '^';
        at += isNegated ? 1 : 0;
        List<CodePointRange> ranges = [];
        while (true)
        {
            Check(at < text.Length && text[at] is not ('\r' or '\n'), "a closing bracket in the same line", Found());
            if (text[at] == ']')
            {
                at++;
                break;
            }

            int first = ReadCharacter().Value, last = first;
            if (at + 1 < text.Length && text[at] == '-' && text[at + 1] != ']')
            {
                at++;
                last = ReadCharacter().Value;
                Check(last >= first, "a range from a lower to a higher character", "one the other way round");
            }

            ranges.Add(new(first, last));
        }

        CodePointSet set = CodePointSet.Of(ranges);
        set = isNegated ? set.Negate() : set;
        Check(!set.IsEmpty, "a class with characters", "an empty one");
        return new(set);
    }

    private Rune ReadCharacter()
    {
        if (text[at] != '\\')
        {
            Check(Rune.TryGetRuneAt(text, at, out Rune rune), "Unicode text", "half a surrogate pair");
            at += rune.Utf16SequenceLength;
            return rune;
        }

        char kind = at + 1 < text.Length ? text[at + 1] : '\0';
        int digits = kind switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            int index = "tnr\\\"[]-^".IndexOf(kind, StringComparison.Ordinal);
            Check(kind != '\0' && index >= 0, "an escape such as \\n, \\\", \\\\, \\x41 or \\u00E9", Found(2));
            at += 2;
            return new("\t\n\r\\\"[]-^"[index]);
        }

        uint value = 0;
        bool isRead = at + 2 + digits <= text.Length
            && uint.TryParse(text.AsSpan(at + 2, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && Rune.IsValid(value);
        Check(isRead, Throw.Invariant($"a character's number in {digits} hexadecimal digits after \\{kind}"), Found(digits + 2));
        at += digits + 2;
        return new(value);
    }

    private string ReadName()
    {
        int start = at;
        while (at < text.Length && IsNameCharacter(text[at]))
        {
            at++;
        }

        Check(at > start, "the name of a rule, of letters, digits and hyphens", Found());
        return text[start..at];
    }

    private static bool IsNameCharacter(char value) => char.IsAsciiLetterOrDigit(value) || value == '-';

    private int IdOf(string name)
    {
        if (!ids.TryGetValue(name, out int rule))
        {
            ids[name] = rule = rules.Add(name);
        }

        return rule;
    }

    private void SkipSpace(bool newLines)
    {
        while (at < text.Length && (text[at] is ' ' or '\t' or '#' || (newLines && text[at] is '\r' or '\n')))
        {
            if (text[at] == '#')
            {
                int end = text.AsSpan(at).IndexOfAny('\r', '\n');
                at = end < 0 ? text.Length : at + end;
            }
            else
            {
                at++;
            }
        }
    }

    private string Found(int length = 1) => at < text.Length ? $"'{Shortened.Text(text.Substring(at, Math.Min(length, text.Length - at))).ReplaceLineEndings(" ")}'" : "the end";

    private void Check(bool condition, string expected, string found)
    {
        if (!condition)
        {
            int line = text.AsSpan(0, Math.Min(at, text.Length)).Count('\n') + 1;
            throw new InvalidDataException(Throw.Invariant($"grammar, line {line}: expected {expected}, found {found}"));
        }
    }
}

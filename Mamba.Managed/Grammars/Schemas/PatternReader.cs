using System.Globalization;
using System.Text;

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>Reads a regular expression of JavaScript, as the keyword <c>pattern</c> has it, as the contents of a string in JSON.</summary>
/// <remarks>Whatever looks beyond the characters that it reads is refused: lookaround, back references, anchors within, word boundaries.</remarks>
internal sealed class PatternReader
{
    private const int MostRepetitions = 1 << 12;
    private const int DeepestGroup = 64;
    private const int MostCharacters = 1 << 14;
    private const string Special = "^$\\.*+?()[]{}|/-";

    private static readonly CodePointSet Digits = CodePointSet.Of(new CodePointRange('0', '9'));
    private static readonly CodePointSet Word = CodePointSet.Of(new('0', '9'), new('A', 'Z'), new('_', '_'), new('a', 'z'));
    private static readonly CodePointSet White = CodePointSet.OfCharacters("\t\n\v\f\r \u00A0\u1680\u2028\u2029\u202F\u205F\u3000\uFEFF").Or(CodePointSet.Of(new CodePointRange(0x2000, 0x200A)));
    private static readonly CodePointSet NoLineEnd = CodePointSet.OfCharacters("\n\r\u2028\u2029").Negate();

    private readonly string pattern;
    private readonly string path;
    private int at;

    private PatternReader(string pattern, string path) => (this.pattern, this.path) = (pattern, path);

    /// <summary>The contents of the strings in which a pattern is found.</summary>
    /// <exception cref="InvalidDataException">It is malformed, or has something that is not supported.</exception>
    public static Expression Read(string pattern, string path)
    {
        Throw.Unless(pattern.Length <= MostCharacters, $"{path}: expected a pattern of at most {MostCharacters} characters, found {pattern.Length}");
        return new PatternReader(pattern, path).ReadWhole();
    }

    private Expression ReadWhole()
    {
        List<Expression> alternatives = [];
        do
        {
            at += alternatives.Count > 0 ? 1 : 0;
            bool isFromStart = Skip('^');
            List<Expression> items = ReadSequence(0);
            bool isToEnd = Skip('$');
            Check(at == pattern.Length || pattern[at] == '|', "the end or '|'");
            Repeat others = new(JsonText.Character(CodePointSet.All), 0, null);
            alternatives.Add(Expression.All([.. isFromStart ? [] : new[] { others }, .. items, .. isToEnd ? [] : new[] { others }]));
        }
        while (at < pattern.Length);
        return Expression.Any([.. alternatives]);
    }

    private Expression ReadGroup(int depth)
    {
        Check(depth < DeepestGroup, Throw.Invariant($"groups nested to a depth of at most {DeepestGroup}"));
        at++;
        if (Skip('?'))
        {
            Check(Skip(':'), "a group '(' or '(?:', as others are not supported");
        }

        List<Expression> alternatives = [Expression.All([.. ReadSequence(depth + 1)])];
        while (Skip('|'))
        {
            alternatives.Add(Expression.All([.. ReadSequence(depth + 1)]));
        }

        Check(Skip(')'), "a closing parenthesis; anchors within groups are not supported");
        return Expression.Any([.. alternatives]);
    }

    private List<Expression> ReadSequence(int depth)
    {
        List<Expression> items = [];
        while (at < pattern.Length && pattern[at] is not ('|' or ')' or '^' or '$'))
        {
            Expression item = pattern[at] switch
            {
                '(' => ReadGroup(depth),
                '[' => JsonText.Character(ReadClass()),
                _ => JsonText.Character(ReadAtom()),
            };
            items.Add(ReadRepetition(item));
        }

        return items;
    }

    private CodePointSet ReadAtom()
    {
        Check(pattern[at] is not ('*' or '+' or '?' or '{' or '}' or ']'), "a character, a class or a group");
        if (pattern[at] == '.')
        {
            at++;
            return NoLineEnd;
        }

        return ReadCharacters(out _);
    }

    private Expression ReadRepetition(Expression item)
    {
        (int least, int? most) = (1, 1);
        if (Skip('*'))
        {
            (least, most) = (0, null);
        }
        else if (Skip('+'))
        {
            most = null;
        }
        else if (Skip('?'))
        {
            least = 0;
        }
        else if (Skip('{'))
        {
            most = least = ReadCount();
            if (Skip(','))
            {
                most = at < pattern.Length && char.IsAsciiDigit(pattern[at]) ? ReadCount() : null;
            }

            Check((most is null || most >= least) && Skip('}'), "two numbers in order and a closing brace");
        }
        else
        {
            return item;
        }

        // A lazy repetition finds the same texts.
        Skip('?');
        Check(at == pattern.Length || pattern[at] is not ('*' or '+' or '?' or '{'), "one repetition");
        return new Repeat(item, least, most);
    }

    private int ReadCount()
    {
        int start = at;
        while (at < pattern.Length && char.IsAsciiDigit(pattern[at]))
        {
            at++;
        }

        int count = 0;
        Check(
            int.TryParse(pattern.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out count) && count <= MostRepetitions,
            Throw.Invariant($"a number of repetitions up to {MostRepetitions}"));
        return count;
    }

    private CodePointSet ReadClass()
    {
        at++;
        bool isNegated = Skip('^');
        CodePointSet set = CodePointSet.Of();
        while (!Skip(']'))
        {
            Check(at < pattern.Length, "a closing bracket");
            CodePointSet characters = ReadCharacters(out bool isOne);
            if (isOne && at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] != ']')
            {
                at++;
                CodePointSet last = ReadCharacters(out bool isLastOne);
                Check(isLastOne && last.Ranges[0].First >= characters.Ranges[0].First, "a range from a lower to a higher character");
                characters = CodePointSet.Of(new CodePointRange(characters.Ranges[0].First, last.Ranges[0].First));
            }

            set = set.Or(characters);
        }

        set = isNegated ? set.Negate() : set;
        Check(!set.IsEmpty, "a class with characters");
        return set;
    }

    // One character, or an escape for several.
    private CodePointSet ReadCharacters(out bool isOne)
    {
        isOne = true;
        if (pattern[at] != '\\')
        {
            Check(Rune.TryGetRuneAt(pattern, at, out Rune rune), "Unicode text");
            at += rune.Utf16SequenceLength;
            return CodePointSet.Of(new CodePointRange(rune.Value, rune.Value));
        }

        char kind = at + 1 < pattern.Length ? pattern[at + 1] : '\0';
        CodePointSet? several = kind switch
        {
            'd' => Digits,
            'D' => Digits.Negate(),
            'w' => Word,
            'W' => Word.Negate(),
            's' => White,
            'S' => White.Negate(),
            _ => null,
        };
        int digits = kind switch { 'x' => 2, 'u' => 4, _ => 0 };
        int value = "tnrvf".IndexOf(kind, StringComparison.Ordinal) is >= 0 and int index ? "\t\n\r\v\f"[index] : kind;
        if (digits > 0)
        {
            bool isRead = at + 2 + digits <= pattern.Length
                && int.TryParse(pattern.AsSpan(at + 2, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && Rune.IsValid(value);
            Check(isRead, "the number of a character in hexadecimal digits");
        }
        else
        {
            Check(several is not null || (kind != '\0' && (Special.Contains(kind, StringComparison.Ordinal) || value != kind)), "an escape of the supported ones, d D w W s S t n r v f x u or a sign");
        }

        at += 2 + digits;
        isOne = several is null;
        return several ?? CodePointSet.Of(new CodePointRange(value, value));
    }

    private bool Skip(char expected)
    {
        bool isThere = at < pattern.Length && pattern[at] == expected;
        at += isThere ? 1 : 0;
        return isThere;
    }

    private void Check(bool condition, string expected)
    {
        if (!condition)
        {
            string found = at < pattern.Length ? $"'{Shortened.Text(pattern[at..])}'" : "the end";
            throw new InvalidDataException(Throw.Invariant($"{path}: expected {expected} at character {at + 1} of the pattern, found {found}"));
        }
    }
}

namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads a regular expression in Oniguruma's Ruby syntax, over code points.</summary>
/// <remarks>As Hugging Face's library compiles them. What would need captures, and what is not known, is refused.</remarks>
internal sealed partial class RegexParser
{
    private const int DeepestNesting = 64;

    private readonly RegexReader reader;
    private int depth;

    private RegexParser(string pattern) => reader = new(pattern);

    [Flags]
    private enum Options
    {
        None = 0,
        IgnoreCase = 1,
        DotMatchesAll = 2,
    }

    /// <summary>Reads an expression.</summary>
    /// <exception cref="InvalidDataException">It is not an expression, or one of its features is not supported.</exception>
    public static RegexNode Parse(string pattern)
    {
        RegexParser parser = new(pattern);
        RegexNode node = parser.ReadAlternatives(Options.None);
        return parser.reader.IsEnd ? node : throw parser.reader.Unsupported("expected an opening parenthesis before");
    }

    private RegexNode ReadAlternatives(Options options)
    {
        if (++depth > DeepestNesting)
        {
            throw reader.Unsupported($"expected at most {DeepestNesting} groups within each other");
        }

        List<RegexNode> choices = [ReadSequence(options)];
        while (reader.Take("|"))
        {
            choices.Add(ReadSequence(options));
        }

        depth--;
        return choices.Count == 1 ? choices[0] : new RegexNode.Alternatives(choices);
    }

    private RegexNode ReadSequence(Options options)
    {
        List<RegexNode> parts = [];
        CharacterSet? previous = null;
        while (reader.Peek() is not (-1 or '|' or ')'))
        {
            bool isLiteral = (options & Options.IgnoreCase) != 0 && IsLiteral(reader.At);
            RegexNode? part = ReadAtom(options);
            if (part is null)
            {
                continue;
            }

            RegexNode whole = ReadRepeats(part);
            parts.Add(whole);
            CharacterSet? literal = isLiteral && whole is RegexNode.One one ? one.Set : null;
            if (previous is not null && literal is not null)
            {
                RegexCase.CheckPair(previous, literal, reader);
            }

            previous = literal;
        }

        return RegexNode.Concatenate(parts);
    }

    // Null for a comment.
    private RegexNode? ReadAtom(Options options)
    {
        if (Interval() is not null)
        {
            throw reader.Unsupported("expected something to repeat before it");
        }

        int point = reader.Next();
        switch (point)
        {
            case '(':
                return ReadGroup(options);
            case '[':
                return new RegexNode.One(RegexClassParser.Brackets(reader, (options & Options.IgnoreCase) != 0));
            case '.':
                return new RegexNode.One((options & Options.DotMatchesAll) != 0 ? CharacterSet.All : CharacterSet.Of('\n').Complement());
            case '^':
                return new RegexNode.At(RegexAnchor.LineStart);
            case '$':
                return new RegexNode.At(RegexAnchor.LineEnd);
            case '*' or '+' or '?':
                throw reader.Unsupported("expected something to repeat before it");
            case '\\':
                return ReadEscape(options);
            default:
                return Literal(CharacterSet.Of(point), options);
        }
    }

    private RegexNode.One Literal(CharacterSet set, Options options) =>
        new((options & Options.IgnoreCase) != 0 ? RegexCase.Widen(set, reader, isNegative: false) : set);

    private RegexNode ReadEscape(Options options)
    {
        int start = reader.At;
        bool isLiteral = IsLiteral(start - 1);
        if (RegexClassParser.Escape(reader, isInBrackets: false) is CharacterSet set)
        {
            return isLiteral ? Literal(set, options) : new RegexNode.One(set);
        }

        reader.At = start;
        int point = reader.Next();
        return point switch
        {
            'b' => new RegexNode.At(RegexAnchor.WordBoundary),
            'B' => new RegexNode.At(RegexAnchor.NoWordBoundary),
            'A' => new RegexNode.At(RegexAnchor.TextStart),
            'z' => new RegexNode.At(RegexAnchor.TextEnd),
            'Z' => new RegexNode.At(RegexAnchor.TextEndOrLastLine),
            'N' => new RegexNode.One(CharacterSet.Of('\n').Complement()),
            'O' => new RegexNode.One(CharacterSet.All),
            'R' => LineBreak(),
            >= '1' and <= '9' => throw reader.Unsupported($"expected no reference to a group, found \\{(char)point}; this is not supported"),
            _ => throw reader.Unsupported($"expected a known escape, found \\{char.ConvertFromUtf32(point)}; this is not supported"),
        };
    }

    private static RegexNode.Atomic LineBreak() => new(new RegexNode.Alternatives(
    [
        new RegexNode.Sequence([new RegexNode.One(CharacterSet.Of('\r')), new RegexNode.One(CharacterSet.Of('\n'))]),
        new RegexNode.One(CharacterSet.Of([('\n', '\r'), (0x85, 0x85), (0x2028, 0x2029)])),
    ]));

    // Whether what begins at a place is a single character rather than the name of a set.
    private bool IsLiteral(int place)
    {
        int now = reader.At;
        reader.At = place;
        bool isLiteral = reader.Peek() is not ('.' or '[' or '(' or '^' or '$') && (reader.Peek() != '\\' || reader.Peek(1) is not ('s' or 'S' or 'd' or 'D' or 'w' or 'W' or 'h' or 'H' or 'p' or 'P' or 'N' or 'O'));
        reader.At = now;
        return isLiteral;
    }

    // Null for a comment.
    private RegexNode? ReadGroup(Options options)
    {
        if (!reader.Take("?") || reader.Take(":"))
        {
            return Close(ReadAlternatives(options));
        }

        if (reader.Take("#"))
        {
            reader.Until(')');
            return null;
        }

        if (reader.Take(">"))
        {
            return Close(new RegexNode.Atomic(ReadAlternatives(options)));
        }

        bool isBehind = reader.Peek() == '<' && reader.Peek(1) is ('=' or '!');
        if (isBehind || reader.Peek() is '=' or '!')
        {
            reader.At += isBehind ? 1 : 0;
            bool isNegative = reader.Next() == '!';
            return Close(new RegexNode.Look(ReadAlternatives(options), isBehind, isNegative));
        }

        if (reader.Take("<"))
        {
            // A name, which nothing can refer to.
            reader.Until('>');
            return Close(ReadAlternatives(options));
        }

        return ReadOptions(options);
    }

    // (?i:...) for its body, (?i) for the rest of the group, whose alternatives it takes along.
    private RegexNode ReadOptions(Options options)
    {
        for (bool isOff = false; ;)
        {
            int point = reader.Next();
            Options changed = point switch { 'i' => Options.IgnoreCase, 'm' => Options.DotMatchesAll, _ => Options.None };
            if (changed != Options.None)
            {
                options = isOff ? options & ~changed : options | changed;
            }
            else if (point == '-')
            {
                isOff = true;
            }
            else if (point == ')')
            {
                return ReadAlternatives(options);
            }
            else if (point == ':')
            {
                return Close(ReadAlternatives(options));
            }
            else
            {
                throw reader.Unsupported($"expected a known kind of group, found (?{char.ConvertFromUtf32(point)}; this is not supported");
            }
        }
    }

    private RegexNode Close(RegexNode group) => reader.Take(")") ? group : throw reader.Unsupported("expected a closing parenthesis");
}

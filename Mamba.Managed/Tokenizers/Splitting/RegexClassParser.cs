namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Reads the sets of characters in an expression: brackets, properties, and what a backslash stands for.</summary>
internal static class RegexClassParser
{
    private const int DeepestNesting = 32;

    /// <summary>What follows a backslash that stands for a set or a character; null where it stands for something else.</summary>
    public static CharacterSet? Escape(RegexReader reader, bool isInBrackets)
    {
        int start = reader.At, point = reader.Next();
        switch (point)
        {
            case 's':
                return Named("space");
            case 'S':
                return Named("space").Complement();
            case 'd':
                return Named("nd");
            case 'D':
                return Named("nd").Complement();
            case 'w':
                return isInBrackets ? Named("word") : CharacterProperties.WordAlone;
            case 'W':
                return (isInBrackets ? Named("word") : CharacterProperties.WordAlone).Complement();
            case 'h':
                return CharacterProperties.Hexadecimal;
            case 'H':
                return CharacterProperties.Hexadecimal.Complement();
            case 'p' or 'P':
                return Property(reader, point == 'P', isInBrackets);
            default:
                reader.At = start;
                return Character(reader, isInBrackets) is int one and >= 0 ? CharacterSet.Of(one) : null;
        }
    }

    /// <summary>Reads brackets, of which the first has been passed over.</summary>
    /// <param name="reader">The expression.</param>
    /// <param name="ignoreCase">Whether the set is widened by what equals its characters when case is ignored; this comes before negation.</param>
    /// <param name="depth">The number of brackets around.</param>
    public static CharacterSet Brackets(RegexReader reader, bool ignoreCase, int depth = 0)
    {
        if (depth > DeepestNesting)
        {
            throw reader.Unsupported($"expected at most {DeepestNesting} brackets within each other");
        }

        bool isNegative = reader.Take("^");
        CharacterSet? operands = null;
        CharacterSet union = CharacterSet.Empty;
        bool isEmpty = true;
        if (reader.Peek() == ']' && reader.Peek(1) >= 0)
        {
            union = CharacterSet.Of(reader.Next());
            isEmpty = false;
        }

        while (!reader.Take("]"))
        {
            if (reader.Take("&&"))
            {
                CheckOperand(reader, isEmpty);
                operands = operands?.Intersect(union) ?? union;
                (union, isEmpty) = (CharacterSet.Empty, true);
                continue;
            }

            union = union.Union(Item(reader, depth));
            isEmpty = false;
        }

        CheckOperand(reader, isEmpty);
        CharacterSet set = operands?.Intersect(union) ?? union;
        set = ignoreCase ? RegexCase.Widen(set, reader, isNegative) : set;
        return isNegative ? set.Complement() : set;
    }

    private static CharacterSet Named(string name) => CharacterProperties.Named(name)!;

    private static void CheckOperand(RegexReader reader, bool isEmpty)
    {
        if (isEmpty)
        {
            throw reader.Unsupported("expected characters in brackets, found none");
        }
    }

    private static CharacterSet Item(RegexReader reader, int depth)
    {
        if (reader.Peek() == '[')
        {
            if (reader.Peek(1) == ':' && Posix(reader) is CharacterSet posix)
            {
                return posix;
            }

            reader.Next();
            return Brackets(reader, ignoreCase: false, depth + 1);
        }

        int first;
        if (reader.Take("\\"))
        {
            int start = reader.At;
            first = Character(reader, isInBrackets: true);
            if (first < 0)
            {
                reader.At = start;
                CharacterSet set = Escape(reader, isInBrackets: true) ?? throw reader.Unsupported("expected an escape that stands for characters");
                return reader.Peek() == '-' && reader.Peek(1) is not (']' or -1) ? throw reader.Unsupported("expected a range of single characters") : set;
            }
        }
        else
        {
            first = reader.Next();
        }

        // A dash before the closing bracket is a character.
        if (reader.Peek() != '-' || reader.Peek(1) is ']' or -1)
        {
            return CharacterSet.Of(first);
        }

        reader.Next();
        if (reader.Peek() == '[' || (reader.Peek() == '&' && reader.Peek(1) == '&'))
        {
            throw reader.Unsupported("expected the end of a range");
        }

        int last = reader.Take("\\") ? Character(reader, isInBrackets: true) : reader.Next();
        return last >= first ? CharacterSet.Range(first, last) : throw reader.Unsupported("expected a range of single characters, the lower one first");
    }

    // [:alpha:] and [:^alpha:]; null where a bracket and a colon begin something else.
    private static CharacterSet? Posix(RegexReader reader)
    {
        int start = reader.At;
        reader.At += 2;
        bool isNegative = reader.Take("^");
        int name = reader.At;
        while (reader.Peek() is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'))
        {
            reader.Next();
        }

        int length = reader.At - name;
        if (!reader.Take(":]"))
        {
            reader.At = start;
            return null;
        }

        reader.At = name;
        CharacterSet set = CharacterProperties.Posix(reader.Until(':')) ?? throw reader.Unsupported($"expected a class such as [:alpha:], found an unknown one of {length} letters");
        reader.Next();
        return isNegative ? set.Complement() : set;
    }

    private static CharacterSet Property(RegexReader reader, bool isNegative, bool isInBrackets)
    {
        if (!reader.Take("{"))
        {
            throw reader.Unsupported("expected braces after \\p");
        }

        isNegative ^= reader.Take("^");
        string name = reader.Until('}');
        CharacterSet set = CharacterProperties.Find(name) ?? throw reader.Unsupported($"expected a general category, a script or a class, found \\p{{{(name.Length <= 40 ? name : name[..40] + "...")}}}; this property is not supported");
        if (!isInBrackets && name.Trim().Equals("word", StringComparison.OrdinalIgnoreCase))
        {
            set = CharacterProperties.WordAlone;
        }

        return isNegative ? set.Complement() : set;
    }

    // The character that an escape stands for; -1 where it does not stand for one.
    private static int Character(RegexReader reader, bool isInBrackets)
    {
        int point = reader.Next();
        switch (point)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'b' when isInBrackets:
                return '\b';
            case 'x' when reader.Take("{"):
                int braced = reader.Number(16, 1, 8);
                return reader.Take("}") ? braced : throw reader.Unsupported("expected one number of a character in braces");
            case 'x':
                // Two digits are a byte of UTF-8, which is a character only below 128.
                int value = reader.Number(16, 1, 2);
                return value < 0x80 ? value : throw reader.Unsupported("expected \\x with braces for characters above 7F");
            case 'u':
                return reader.Number(16, 4, 4);
            case '0':
                return reader.Number(8, 0, 2);
            case (>= '0' and <= '9') or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'):
                return -1;
            default:
                return point;
        }
    }
}

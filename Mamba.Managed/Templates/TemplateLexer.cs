namespace Mamba.Managed.Templates;

/// <summary>Cuts a template into tokens, with <c>trim_blocks</c> and <c>lstrip_blocks</c> as chat templates are written for.</summary>
internal sealed class TemplateLexer
{
    private readonly TemplateText source;
    private readonly string text;
    private readonly List<TemplateToken> tokens = [];
    private int at;

    // Whether what was read last ended a line: white space before the next block is then the beginning of a line.
    private bool beginsLine = true;

    private TemplateLexer(TemplateText source) => (this.source, text) = (source, source.Text);

    /// <summary>The tokens of a template; the last one is its end.</summary>
    /// <exception cref="InvalidDataException">A tag does not end, or has a character that no token begins with.</exception>
    public static List<TemplateToken> Read(TemplateText source)
    {
        TemplateLexer lexer = new(source);
        while (lexer.at < lexer.text.Length)
        {
            lexer.ReadUpToTag();
        }

        lexer.Add(TokenKind.End, "", lexer.text.Length);
        return lexer.tokens;
    }

    private void ReadUpToTag()
    {
        int tag = NextTag();
        if (tag < 0)
        {
            Add(TokenKind.Data, text[at..], at);
            at = text.Length;
            return;
        }

        char kind = text[tag + 1];
        int start = at;
        at = tag + 2;
        char sign = ReadSign();
        AddData(start, tag, sign, kind != '{');
        if (kind == '#')
        {
            SkipComment(tag);
        }
        else if (kind == '%' && RawBody() is { } body)
        {
            ReadRaw(tag, body);
        }
        else
        {
            bool isBlock = kind == '%';
            Add(isBlock ? TokenKind.BlockBegin : TokenKind.VariableBegin, text.Substring(tag, 2), tag);
            ReadTag(tag, isBlock);
        }
    }

    private int NextTag()
    {
        for (int brace = text.IndexOf('{', at); brace >= 0 && brace + 1 < text.Length; brace = text.IndexOf('{', brace + 1))
        {
            if (text[brace + 1] is '{' or '%' or '#')
            {
                return brace;
            }
        }

        return -1;
    }

    private char ReadSign() => at < text.Length && text[at] is '-' or '+' ? text[at++] : ' ';

    private void AddData(int start, int end, char sign, bool stripsLine)
    {
        ReadOnlySpan<char> data = text.AsSpan(start, end - start);
        if (sign == '-')
        {
            data = PythonText.TrimEnd(data);
        }
        else if (sign != '+' && stripsLine)
        {
            int line = data.LastIndexOf('\n') + 1;
            if ((line > 0 || beginsLine) && PythonText.IsSpace(data[line..]))
            {
                data = data[..line];
            }
        }

        if (data.Length > 0)
        {
            Add(TokenKind.Data, data.ToString(), start);
        }
    }

    private void SkipComment(int tag)
    {
        int end = text.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw source.Refused(tag, "expected '#}' that ends the comment, found the end of the template");
        }

        EndTag(end + 2, end > at ? text[end - 1] : ' ', trims: true);
    }

    // Where the body of a raw block begins, if the tag is one.
    private int? RawBody()
    {
        int name = SkipSpace(at);
        if (!text.AsSpan(name).StartsWith("raw"))
        {
            return null;
        }

        int end = SkipSpace(name + 3);
        return text.AsSpan(end).StartsWith("%}") ? end + 2 : text.AsSpan(end).StartsWith("-%}") ? SkipSpace(end + 3) : null;
    }

    private void ReadRaw(int tag, int body)
    {
        beginsLine = text[body - 1] == '\n';
        for (int open = text.IndexOf("{%", body, StringComparison.Ordinal); open >= 0; open = text.IndexOf("{%", open + 1, StringComparison.Ordinal))
        {
            at = open + 2;
            char sign = ReadSign();
            int name = SkipSpace(at), end = SkipSpace(Math.Min(name + 6, text.Length));
            if (!text.AsSpan(name).StartsWith("endraw"))
            {
                continue;
            }

            char control = end < text.Length && text[end] is '-' or '+' ? text[end++] : ' ';
            if (text.AsSpan(end).StartsWith("%}"))
            {
                AddData(body, open, sign, stripsLine: true);
                EndTag(end + 2, control, trims: true);
                return;
            }
        }

        throw source.Refused(tag, "expected 'endraw', found the end of the template");
    }

    private void ReadTag(int tag, bool isBlock)
    {
        string end = isBlock ? "%}" : "}}";
        Stack<char> open = [];
        while (at < text.Length)
        {
            char control = text[at] == '-' || (isBlock && text[at] == '+') ? text[at] : ' ';
            int close = control == ' ' ? at : at + 1;
            if (open.Count == 0 && text.AsSpan(close).StartsWith(end))
            {
                Add(isBlock ? TokenKind.BlockEnd : TokenKind.VariableEnd, end, at);
                EndTag(close + 2, control, isBlock);
                return;
            }

            ReadInTag(open);
        }

        throw source.Refused(tag, $"expected '{end}' that ends the tag, found the end of the template");
    }

    private void EndTag(int end, char control, bool trims)
    {
        at = control == '-' ? SkipSpace(end) : end;
        if (control == ' ' && trims && at < text.Length && text[at] == '\n')
        {
            at++;
        }

        beginsLine = text[at - 1] == '\n';
    }

    private void ReadInTag(Stack<char> open)
    {
        int start = at;
        char first = text[at];
        if (PythonText.IsSpace(first))
        {
            at++;
        }
        else if (char.IsAsciiDigit(first))
        {
            at = TemplateLiterals.EndOfNumber(source, start, out object value);
            Add(TokenKind.Number, text[start..at], start, value);
        }
        else if (char.IsLetterOrDigit(first) || first == '_')
        {
            while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] == '_'))
            {
                at++;
            }

            Add(TokenKind.Name, text[start..at], start);
        }
        else if (first is '\'' or '"')
        {
            at = TemplateLiterals.EndOfText(source, start);
            Add(TokenKind.String, TemplateLiterals.Unescape(source, start, at), start);
        }
        else
        {
            ReadOperator(open);
        }
    }

    private void ReadOperator(Stack<char> open)
    {
        int start = at;
        string symbol = text.AsSpan(at).StartsWith("//") || text.AsSpan(at).StartsWith("**") || (at + 1 < text.Length && text[at + 1] == '=' && text[at] is '=' or '!' or '<' or '>')
            ? text.Substring(at, 2)
            : text.Substring(at, 1);
        if (!"+-/*%~[](){}<>=.:|,;".Contains(symbol[0]) && symbol != "!=")
        {
            throw source.Refused(at, $"expected an expression, found the character {PythonText.Repr(symbol)}");
        }

        int closing = symbol.Length == 1 ? ")]}".IndexOf(symbol[0]) : -1;
        if (symbol is "(" or "[" or "{")
        {
            open.Push(symbol[0]);
        }
        else if (closing >= 0 && (open.Count == 0 || open.Pop() != "([{"[closing]))
        {
            throw source.Refused(at, $"'{symbol}' closes no bracket of its kind");
        }

        at += symbol.Length;
        Add(TokenKind.Operator, symbol, start);
    }

    private int SkipSpace(int from)
    {
        while (from < text.Length && PythonText.IsSpace(text[from]))
        {
            from++;
        }

        return from;
    }

    private void Add(TokenKind kind, string value, int offset, object? number = null) => tokens.Add(new TemplateToken(kind, value, offset, number));
}

using System.Runtime.CompilerServices;

namespace Mamba.Managed.Templates;

/// <summary>The tokens of a template as a parser takes them, and how deep it is in them.</summary>
internal sealed class TokenStream(TemplateText source)
{
    // Far more than people write, and few enough for the stack of any thread.
    private const int MostNesting = 200;

    private readonly List<TemplateToken> tokens = TemplateLexer.Read(source);
    private int at;
    private int nesting;

    /// <summary>The token that comes next.</summary>
    public TemplateToken Current => tokens[at];

    /// <summary>The token behind the next one.</summary>
    public TemplateToken Following => tokens[Math.Min(at + 1, tokens.Count - 1)];

    /// <summary>Takes the next token; the end stays.</summary>
    public TemplateToken Take()
    {
        TemplateToken token = tokens[at];
        at += token.Kind == TokenKind.End ? 0 : 1;
        return token;
    }

    /// <summary>Takes an operator if it comes next.</summary>
    public bool TakeIf(string symbol)
    {
        bool found = Current.IsOperator(symbol);
        at += found ? 1 : 0;
        return found;
    }

    /// <summary>Takes a keyword if it comes next.</summary>
    public bool TakeName(string name)
    {
        bool found = Current.IsName(name);
        at += found ? 1 : 0;
        return found;
    }

    /// <summary>Takes an operator that must come.</summary>
    public void Expect(string symbol)
    {
        if (!TakeIf(symbol))
        {
            throw Unexpected($"'{symbol}'");
        }
    }

    /// <summary>Takes a keyword that must come.</summary>
    public void ExpectName(string name)
    {
        if (!TakeName(name))
        {
            throw Unexpected($"'{name}'");
        }
    }

    /// <summary>Takes a token of a kind that must come.</summary>
    public TemplateToken Expect(TokenKind kind, string expected) => Current.Kind == kind ? Take() : throw Unexpected(expected);

    /// <summary>The error of a token that cannot come next.</summary>
    public InvalidDataException Unexpected(string expected) => source.Refused(Current.Offset, $"expected {expected}, found {Current.Description}");

    /// <summary>The error of what is not supported or not allowed.</summary>
    public InvalidDataException Refused(int offset, string message) => source.Refused(offset, message);

    /// <summary>Parses one level deeper.</summary>
    public T Deeper<T>(Func<T> parse)
    {
        if (++nesting > MostNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw source.Refused(Current.Offset, Throw.Invariant($"expected at most {MostNesting} levels of nesting, found more"));
        }

        T parsed = parse();
        nesting--;
        return parsed;
    }
}

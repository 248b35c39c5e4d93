using System.Runtime.CompilerServices;

namespace Mamba.Managed.Templates;

/// <summary>One rendering in progress: its output, its global variables and what it has used of its limits.</summary>
internal sealed class Rendering
{
    private readonly TemplateText source;
    private readonly Dictionary<string, object?> variables;
    private long steps;
    private int nesting;

    public Rendering(TemplateText source, ChatTemplateLimits limits, TimeProvider clock)
    {
        (this.source, Limits, Clock) = (source, limits, clock);
        variables = [];
        Output = new BoundedText(this);
    }

    /// <summary>What it may use.</summary>
    public ChatTemplateLimits Limits { get; }

    /// <summary>What time it is for the template.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Where the text goes.</summary>
    public BoundedText Output { get; private set; }

    /// <summary>Where in the template it is: the place of an error.</summary>
    public int At { get; set; }

    /// <summary>Gives the template a variable.</summary>
    public void SetGlobal(string name, object? value) => variables[name] = value;

    /// <summary>A variable given to the template, or a function that every template has; otherwise undefined.</summary>
    public object? Global(string name) =>
        variables.TryGetValue(name, out object? value) ? value
        : Globals.Find(name) is { } function ? function
        : Globals.IsUnsupported(name) ? throw Failed($"the function '{name}' is not supported")
        : Undefined.OfName(name);

    /// <summary>Counts a step and a level of nesting, which <see cref="Leave"/> ends. An error ends the rendering, so that no level is left by it.</summary>
    public void Enter(int offset)
    {
        At = offset;
        Step();
        Descend();
    }

    /// <summary>Counts one more level of nesting, of the template or of a value.</summary>
    public void Descend()
    {
        if (++nesting > Limits.MostNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Limit(Throw.Invariant($"expected at most {Limits.MostNesting} levels of nesting, found more"));
        }
    }

    /// <summary>Ends a level of nesting.</summary>
    public void Leave() => nesting--;

    /// <summary>Counts steps.</summary>
    public void Step(long count = 1)
    {
        steps += count;
        if (steps > Limits.MostSteps)
        {
            throw Limit(Throw.Invariant($"expected at most {Limits.MostSteps} steps, found more"));
        }
    }

    /// <summary>Counts the steps for a text that is made or read.</summary>
    public void StepText(long characters)
    {
        const int CharactersPerStep = 8;
        Step(characters / CharactersPerStep);
    }

    /// <summary>Counts the steps for a search of one text in another, which at worst compares at every place.</summary>
    public void StepSearch(string text, string sought)
    {
        const int CharactersPerStep = 32;
        StepText((long)text.Length * (1 + (sought.Length / CharactersPerStep)));
    }

    /// <summary>Refuses a text that would be too long, before memory is taken, and counts its steps.</summary>
    public void RequireText(long characters)
    {
        if (characters > Limits.MostCharacters)
        {
            throw Limit(Throw.Invariant($"expected at most {Limits.MostCharacters} characters in a text, found {characters}"));
        }

        StepText(characters);
    }

    /// <summary>Runs what writes, and gives the text that it wrote.</summary>
    public string Capture(Action write)
    {
        BoundedText outer = Output;
        Output = new BoundedText(this);
        write();
        string text = Output.ToString();
        Output = outer;
        return text;
    }

    /// <summary>The error of what the language does not allow.</summary>
    public ChatTemplateException Failed(string message) => Make(ChatTemplateFault.Template, message);

    /// <summary>The error of an operation that a value does not have.</summary>
    public ChatTemplateException Unfit(string operation, object? value) =>
        value is Undefined undefined ? Failed(undefined.Problem) : Failed($"{operation}: found {PythonText.TypeName(value)}");

    /// <summary>The template's own error.</summary>
    public ChatTemplateException Raised(string message)
    {
        (int line, int column) = source.Place(At);
        return new ChatTemplateException(ChatTemplateFault.Conversation, message, line, column);
    }

    private ChatTemplateException Limit(string message) => Make(ChatTemplateFault.Limit, message);

    private ChatTemplateException Make(ChatTemplateFault fault, string message)
    {
        (int line, int column) = source.Place(At);
        return new ChatTemplateException(fault, Throw.Invariant($"chat template, line {line}, column {column}: {message}"), line, column);
    }
}

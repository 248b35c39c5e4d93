namespace Mamba.Managed.Templates;

/// <summary>What one rendering of a <see cref="ChatTemplate"/> may use at most: templates come with model files and are not trusted.</summary>
public sealed record ChatTemplateLimits
{
    /// <summary>The limits that hold unless others are given.</summary>
    public static ChatTemplateLimits Default { get; } = new();

    /// <summary>The longest output, and the longest text that a template makes on the way, in UTF-16 units.</summary>
    public int MostCharacters { get; init; } = 1 << 23;

    /// <summary>
    /// The most steps. Evaluating one node of the template is a step; what handles lists and texts takes one more for each element and for every eight characters.
    /// </summary>
    public long MostSteps { get; init; } = 20_000_000;

    /// <summary>The deepest nesting of blocks, expressions and macro calls in progress, and of lists and mappings in a value.</summary>
    public int MostNesting { get; init; } = 2_000;
}

namespace Mamba.Managed.Templates;

/// <summary>Going through values.</summary>
internal static class Iteration
{
    /// <summary>What a value consists of, each counted as a step; a text consists of its code points, a mapping of its keys.</summary>
    public static IEnumerable<object?> Of(Rendering rendering, object? value) =>
        TryOf(value) is { } items ? Counted(rendering, items) : throw rendering.Unfit("expected something to go through", value);

    /// <summary>The same as an array.</summary>
    public static object?[] ToArray(Rendering rendering, object? value) => [.. Of(rendering, value)];

    /// <summary>Whether a value can be gone through.</summary>
    public static bool Can(object? value) => TryOf(value) is not null;

    private static IEnumerable<object?>? TryOf(object? value) => value switch
    {
        Undefined => [],
        string text => CodePoints.Of(text),
        PySequence sequence => sequence.Items,
        PyDict dict => dict.Keys,
        DictView view => view.Entries,
        PyRange range => Enumerable.Range(0, range.Count).Select(index => (object?)range[index]),
        PyIterator iterator => iterator.Rest(),
        _ => null,
    };

    // What map and its like give takes each item from what they were given, and so on: that nests, too.
    private static bool Next(Rendering rendering, IEnumerator<object?> items)
    {
        rendering.Descend();
        bool found = items.MoveNext();
        rendering.Leave();
        return found;
    }

    private static IEnumerable<object?> Counted(Rendering rendering, IEnumerable<object?> items)
    {
        using IEnumerator<object?> from = items.GetEnumerator();
        while (Next(rendering, from))
        {
            rendering.Step();
            yield return from.Current;
        }
    }
}

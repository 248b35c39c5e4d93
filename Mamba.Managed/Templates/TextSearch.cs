namespace Mamba.Managed.Templates;

/// <summary>Searching in texts; places are counted in code points.</summary>
internal static class TextSearch
{
    /// <summary>Whether a text starts or ends with another, or with one of several.</summary>
    public static object HasEdge(Rendering rendering, string text, Arguments arguments, bool isStart)
    {
        Bound bound = arguments.Bind(rendering, 1, "text", "start", "end");
        if (Part(text, bound, out string part, out _) is false)
        {
            return false;
        }

        object?[] edges = bound[0] is PyTuple several ? several.Items : [bound[0]];
        return edges.Any(edge =>
        {
            string sought = edge as string ?? throw rendering.Unfit(isStart ? "startswith: expected a text" : "endswith: expected a text", edge);
            rendering.StepText(sought.Length);
            return isStart ? part.StartsWith(sought, StringComparison.Ordinal) : part.EndsWith(sought, StringComparison.Ordinal);
        });
    }

    /// <summary>Where a text is found first or last; -1 where it is not.</summary>
    public static object Find(Rendering rendering, string text, Arguments arguments, bool fromEnd)
    {
        Bound bound = arguments.Bind(rendering, 1, "text", "start", "end");
        string sought = bound.Text(0);
        if (Part(text, bound, out string part, out long start) is false)
        {
            return -1L;
        }

        rendering.StepSearch(part, sought);
        int found = fromEnd ? part.LastIndexOf(sought, StringComparison.Ordinal) : part.IndexOf(sought, StringComparison.Ordinal);
        return found < 0 ? -1L : start + CodePoints.Count(part.AsSpan(0, found));
    }

    /// <summary>Where a text is found first or last; an error where it is not.</summary>
    public static object Index(Rendering rendering, string text, Arguments arguments, bool fromEnd) =>
        Find(rendering, text, arguments, fromEnd) is not -1L and var found ? found : throw rendering.Failed("index: the text was not found");

    /// <summary>How many places, apart from each other, have a text.</summary>
    public static object Count(Rendering rendering, string text, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "text", "start", "end");
        string sought = bound.Text(0);
        if (Part(text, bound, out string part, out _) is false)
        {
            return 0L;
        }

        rendering.StepSearch(part, sought);
        return sought.Length == 0 ? CodePoints.Count(part) + 1L : part.AsSpan().Count(sought);
    }

    // The part between two places; false where its start lies behind the text or its end.
    private static bool Part(string text, Bound bound, out string part, out long start)
    {
        (part, start) = (text, 0);
        if (bound[1] is null && bound[2] is null)
        {
            return true;
        }

        int count = CodePoints.Count(text);
        start = bound[1] is null ? 0 : From(bound.Integer(1));
        long end = Math.Min(bound[2] is null ? count : From(bound.Integer(2)), count);
        if (start > end)
        {
            return false;
        }

        part = text[CodePoints.Offset(text, (int)start)..CodePoints.Offset(text, (int)end)];
        return true;

        long From(long index) => index < 0 ? Math.Max(index + count, 0) : index;
    }
}

namespace Mamba.Managed.Templates;

/// <summary>Parts and items of lists and texts; an index below zero counts from the end.</summary>
internal static class Slicing
{
    /// <summary>The part from one index to another.</summary>
    public static object Of(Rendering rendering, object? value, object? start, object? stop, object? step)
    {
        if (value is not (string or PySequence or PyRange))
        {
            throw rendering.Unfit("expected a text or a list before '[:]'", value);
        }

        string? text = value as string;
        if (text is not null)
        {
            rendering.StepText(text.Length);
        }

        int count = text is not null ? CodePoints.Count(text) : value is PySequence sequence ? sequence.Items.Length : ((PyRange)value).Count;
        (long first, long by, int taken) = Indices(rendering, count, start, stop, step);
        rendering.Step(text is not null && by == 1 ? 0 : taken);
        if (text is not null)
        {
            return by == 1 ? Part(text, (int)first, taken) : string.Concat(Taken([.. CodePoints.Of(text)]));
        }

        return value switch
        {
            PyList list => new PyList(Taken(list.Items)),
            PyTuple tuple => new PyTuple(Taken(tuple.Items)),
            _ => Part((PyRange)value, first, by, taken),
        };

        T[] Taken<T>(T[] items)
        {
            T[] part = new T[taken];
            for (int index = 0; index < taken; index++)
            {
                part[index] = items[first + (index * by)];
            }

            return part;
        }
    }

    /// <summary>The item at an index; false where there is none.</summary>
    public static bool TryItem(Rendering rendering, object value, long index, out object? item)
    {
        item = null;
        string? text = value as string;
        if (text is not null)
        {
            rendering.StepText(text.Length);
        }

        int count = text is not null ? CodePoints.Count(text) : value is PySequence list ? list.Items.Length : ((PyRange)value).Count;
        long at = index < 0 ? index + count : index;
        if (at < 0 || at >= count)
        {
            return false;
        }

        item = text is not null ? Part(text, (int)at, 1) : value is PySequence sequence ? sequence.Items[at] : ((PyRange)value)[(int)at];
        return true;
    }

    private static string Part(string text, int first, int count)
    {
        int start = CodePoints.Offset(text, first);
        string rest = text[start..];
        return rest[..CodePoints.Offset(rest, count)];
    }

    private static PyRange Part(PyRange range, long first, long by, int taken)
    {
        long start = range.Start + (first * range.Step), step = range.Step * by;
        return new PyRange(start, start + (taken * step), step, taken);
    }

    private static (long First, long Step, int Count) Indices(Rendering rendering, int count, object? start, object? stop, object? step)
    {
        long by = Index(rendering, step) ?? 1;
        if (by == 0)
        {
            throw rendering.Failed("the step of '[::]' is zero");
        }

        by = Math.Clamp(by, -int.MaxValue, int.MaxValue);
        long least = by < 0 ? -1 : 0, most = by < 0 ? count - 1 : count;
        long first = Bounded(Index(rendering, start), by < 0 ? most : least);
        long last = Bounded(Index(rendering, stop), by < 0 ? least : most);
        long taken = by > 0 ? (last - first + by - 1) / by : (first - last - by - 1) / -by;
        return (first, by, (int)Math.Max(taken, 0));

        long Bounded(long? index, long fallback) => index is not { } at ? fallback : Math.Clamp(at < 0 ? at + count : at, least, most);
    }

    private static long? Index(Rendering rendering, object? value) =>
        value is null ? null : Numbers.IsInteger(value) ? Numbers.ToLong(value) : throw rendering.Unfit("expected integers in '[:]'", value);
}

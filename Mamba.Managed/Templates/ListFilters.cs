namespace Mamba.Managed.Templates;

/// <summary>Filters of lists and their like.</summary>
internal static class ListFilters
{
    /// <summary>A value, or another where it is undefined, or, where that is asked for, where it counts as false.</summary>
    public static object? Default(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "default_value", "boolean");
        return value is Undefined || (bound.Flag(1) && !Truth.Of(value)) ? bound.Has(0) ? bound[0] : "" : value;
    }

    /// <summary>How many items, entries or code points there are.</summary>
    public static object? Length(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        rendering.StepText((value as string)?.Length ?? 0);
        return value switch
        {
            string text => (long)CodePoints.Count(text),
            PySequence sequence => (long)sequence.Items.Length,
            PyDict dict => (long)dict.Count,
            DictView view => (long)view.Count,
            PyRange range => (long)range.Count,
            Undefined => 0L,
            _ => throw rendering.Unfit("length: expected a text, a list or a mapping", value),
        };
    }

    /// <summary>The first item; undefined where there is none.</summary>
    public static object? First(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return Iteration.Of(rendering, value).FirstOrDefault(new Undefined("there is no first item: the sequence is empty"));
    }

    /// <summary>The last item; undefined where there is none.</summary>
    public static object? Last(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return value is PyIterator ? throw rendering.Unfit("last: expected a list; put '| list' before it", value)
            : Iteration.Of(rendering, value).LastOrDefault(new Undefined("there is no last item: the sequence is empty"));
    }

    /// <summary>The texts of items with a text between them.</summary>
    public static object? Join(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "d", "attribute");
        AttributePath path = AttributePath.Of(rendering, bound[1]);
        BoundedText text = new(rendering);
        string separator = PythonText.Str(rendering, bound.Has(0) ? bound[0] : "");
        bool isFirst = true;
        foreach (object? item in Iteration.Of(rendering, value))
        {
            text.Append(isFirst ? "" : separator);
            text.Append(PythonText.Str(rendering, path.Find(rendering, item)));
            isFirst = false;
        }

        return text.ToString();
    }

    /// <summary>A list of what a value consists of.</summary>
    public static object? List(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return new PyList(Iteration.ToArray(rendering, value));
    }

    /// <summary>The keys and values of a mapping.</summary>
    public static object? Items(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        return value switch
        {
            Undefined => new PyIterator([]),
            PyDict dict => new PyIterator(new DictView(dict, DictPart.Items).Entries),
            _ => throw rendering.Unfit("items: expected a mapping", value),
        };
    }

    /// <summary>A text or a sequence from its end to its beginning.</summary>
    public static object? Reverse(Rendering rendering, object? value, Arguments arguments)
    {
        _ = arguments.Bind(rendering, 0);
        object?[] items = Iteration.ToArray(rendering, value);
        Array.Reverse(items);
        return value is string ? string.Concat(items) : value is PyIterator ? new PyList(items) : new PyIterator(items);
    }

    /// <summary>Lists of a number of items each.</summary>
    public static object? Batch(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "linecount", "fill_with");
        long count = bound.Integer(0);
        object?[] items = Iteration.ToArray(rendering, value);
        if (count <= 0)
        {
            throw rendering.Failed("batch: expected a number of items above zero");
        }

        rendering.Step(bound[1] is null ? 0 : count);
        return new PyIterator(items.Chunk((int)Math.Min(count, int.MaxValue)).Select(batch =>
            new PyList(bound[1] is null || batch.Length >= count ? batch : [.. batch, .. Enumerable.Repeat(bound[1], (int)count - batch.Length)])));
    }

    /// <summary>A number of lists that the items are shared out to.</summary>
    public static object? Slice(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "slices", "fill_with");
        object?[] items = Iteration.ToArray(rendering, value);
        long slices = bound.Integer(0);
        if (slices == 0)
        {
            throw rendering.Failed("slice: expected a number of lists above zero");
        }

        rendering.Step(Math.Max(slices, 0));
        List<object?> lists = [];
        int at = 0;
        for (long index = 0; index < slices; index++)
        {
            bool hasExtra = index < items.Length % slices;
            int end = at + (int)(items.Length / slices) + (hasExtra ? 1 : 0);
            lists.Add(new PyList(bound[1] is null || hasExtra ? items[at..end] : [.. items[at..end], bound[1]]));
            at = end;
        }

        return new PyIterator(lists);
    }
}

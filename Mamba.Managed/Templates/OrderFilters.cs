namespace Mamba.Managed.Templates;

/// <summary>Filters that compare items: texts without regard to case, unless it is asked for.</summary>
internal static class OrderFilters
{
    /// <summary>The items in order.</summary>
    public static object? Sort(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "reverse", "case_sensitive", "attribute");
        object?[] parts = bound[2] is string several ? several.Split(',') : [bound[2]];
        AttributePath[] paths = Array.ConvertAll(parts, part => AttributePath.Of(rendering, part));
        object? Key(object? item) => new PyList(Array.ConvertAll(paths, path => Plain(path.Find(rendering, item), bound.Flag(1))));
        return new PyList(Sorting.By(rendering, Iteration.ToArray(rendering, value), Key, bound.Flag(0)));
    }

    /// <summary>The keys and values of a mapping in order.</summary>
    public static object? SortDict(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "case_sensitive", "by", "reverse");
        PyDict dict = value as PyDict ?? throw rendering.Unfit("dictsort: expected a mapping", value);
        int part = bound.Text(1, "key") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw rendering.Failed("dictsort: expected 'key' or 'value' as 'by'"),
        };
        object?[] pairs = Iteration.ToArray(rendering, new DictView(dict, DictPart.Items));
        return new PyList(Sorting.By(rendering, pairs, pair => Plain(((PyTuple)pair!).Items[part], bound.Flag(0)), bound.Flag(2)));
    }

    /// <summary>Tuples of a value and the items that have it.</summary>
    public static object? Group(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "attribute", "default", "case_sensitive");
        AttributePath path = AttributePath.Of(rendering, bound[0], bound[1]);
        object? Key(object? item) => Plain(path.Find(rendering, item), bound.Flag(2));
        List<object?> groups = [], members = [];
        foreach (object? item in Sorting.By(rendering, Iteration.ToArray(rendering, value), Key, reverse: false))
        {
            if (members.Count > 0 && !Comparing.AreEqual(rendering, Key(members[0]), Key(item)))
            {
                Close();
            }

            members.Add(item);
        }

        Close();
        return new PyList([.. groups]);

        void Close()
        {
            if (members.Count > 0)
            {
                groups.Add(new PyTuple([path.Find(rendering, members[0]), new PyList([.. members])]));
                members.Clear();
            }
        }
    }

    /// <summary>The least or the greatest item.</summary>
    public static object? Extreme(Rendering rendering, object? value, Arguments arguments, bool isMost)
    {
        Bound bound = arguments.Bind(rendering, 0, "case_sensitive", "attribute");
        AttributePath path = AttributePath.Of(rendering, bound[1]);
        object? best = new Undefined("there is no least or greatest item: the sequence is empty"), bestKey = null;
        bool isFirst = true;
        foreach (object? item in Iteration.Of(rendering, value))
        {
            object? key = Plain(path.Find(rendering, item), bound.Flag(0));
            if (isFirst || (isMost ? Comparing.Order(rendering, key, bestKey) > 0 : Comparing.Order(rendering, key, bestKey) < 0))
            {
                (best, bestKey, isFirst) = (item, key, false);
            }
        }

        return best;
    }

    /// <summary>The items without those that came before.</summary>
    public static object? Unique(Rendering rendering, object? value, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 0, "case_sensitive", "attribute");
        AttributePath path = AttributePath.Of(rendering, bound[1]);
        PyDict seen = new();
        return new PyIterator(Iteration.Of(rendering, value).Where(item =>
        {
            object? key = Plain(path.Find(rendering, item), bound.Flag(0));
            bool isNew = !seen.TryGet(rendering, key, out _);
            seen.Set(rendering, key, null);
            return isNew;
        }));
    }

    private static object? Plain(object? value, bool isCaseSensitive) => value is string text && !isCaseSensitive ? TextCase.Lower(text) : value;
}

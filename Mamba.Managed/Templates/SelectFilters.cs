namespace Mamba.Managed.Templates;

/// <summary>Filters that apply a filter or a test to each item.</summary>
internal static class SelectFilters
{
    /// <summary>Each item through a filter, or one attribute of each.</summary>
    public static object? Map(Rendering rendering, object? value, Arguments arguments)
    {
        if (arguments.Positional.Length == 0 && arguments.Find("attribute", out object? attribute))
        {
            Bound bound = arguments.Bind(rendering, 0, "attribute", "default");
            AttributePath path = AttributePath.Of(rendering, attribute, bound[1]);
            return Each(rendering, value, item => path.Find(rendering, item));
        }

        string name = arguments.Positional.FirstOrDefault() as string ?? throw rendering.Failed("map: expected the name of a filter, or 'attribute'");
        Filter filter = Filters.Find(name) ?? throw rendering.Failed($"the filter '{Shortened.Text(name)}' is not supported");
        Arguments rest = arguments.Skip(1);
        return Each(rendering, value, item => filter(rendering, item, rest));
    }

    /// <summary>The items that pass a test, or do not; of each item the test may be given an attribute.</summary>
    public static object? Select(Rendering rendering, object? value, Arguments arguments, bool keeps, bool hasAttribute)
    {
        if (!Truth.Of(value))
        {
            return new PyIterator([]);
        }

        int skipped = hasAttribute ? 1 : 0;
        if (arguments.Positional.Length < skipped)
        {
            throw rendering.Failed("expected the name of an attribute");
        }

        AttributePath path = AttributePath.Of(rendering, hasAttribute ? arguments.Positional[0] : null);
        Func<object?, bool> test = Truth.Of;
        if (arguments.Positional.Length > skipped)
        {
            string name = arguments.Positional[skipped] as string ?? throw rendering.Failed("expected the name of a test");
            Test named = Tests.Find(name) ?? throw rendering.Failed($"the test '{Shortened.Text(name)}' is not supported");
            Arguments rest = arguments.Skip(skipped + 1);
            test = item => named(rendering, item, rest);
        }

        IEnumerable<object?> items = Iteration.Of(rendering, value);
        return new PyIterator(items.Where(item => test(path.Find(rendering, item)) == keeps));
    }

    private static PyIterator Each(Rendering rendering, object? value, Func<object?, object?> map) =>
        new(Truth.Of(value) ? Iteration.Of(rendering, value).Select(map) : []);
}

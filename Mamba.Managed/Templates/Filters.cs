namespace Mamba.Managed.Templates;

/// <summary>A filter: a function of the value before it and of its arguments.</summary>
internal delegate object? Filter(Rendering rendering, object? value, Arguments arguments);

/// <summary>The filters by their names.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> All = new()
    {
        ["abs"] = NumberFilters.Abs,
        ["float"] = NumberFilters.Float,
        ["int"] = NumberFilters.Int,
        ["round"] = NumberFilters.Round,
        ["sum"] = NumberFilters.Sum,
        ["capitalize"] = (rendering, value, arguments) => TextCase.Capitalize(TextFilters.Text(rendering, value, arguments)),
        ["lower"] = (rendering, value, arguments) => TextCase.Lower(TextFilters.Text(rendering, value, arguments)),
        ["upper"] = (rendering, value, arguments) => TextCase.Upper(TextFilters.Text(rendering, value, arguments)),
        ["title"] = (rendering, value, arguments) => TextFilters.Title(TextFilters.Text(rendering, value, arguments)),
        ["string"] = TextFilters.Text,
        ["safe"] = TextFilters.Text,
        ["escape"] = TextFilters.Escape,
        ["e"] = TextFilters.Escape,
        ["forceescape"] = TextFilters.Escape,
        ["center"] = TextFilters.Center,
        ["format"] = TextFilters.Format,
        ["indent"] = TextFilters.Indent,
        ["replace"] = TextFilters.Replace,
        ["trim"] = TextFilters.Trim,
        ["truncate"] = TextFilters.Truncate,
        ["wordcount"] = TextFilters.CountWords,
        ["tojson"] = JsonText.Of,
        ["attr"] = (rendering, value, arguments) => Members.Attribute(rendering, value, arguments.Bind(rendering, 1, "name").Text(0)),
        ["default"] = ListFilters.Default,
        ["d"] = ListFilters.Default,
        ["count"] = ListFilters.Length,
        ["length"] = ListFilters.Length,
        ["first"] = ListFilters.First,
        ["last"] = ListFilters.Last,
        ["join"] = ListFilters.Join,
        ["list"] = ListFilters.List,
        ["items"] = ListFilters.Items,
        ["reverse"] = ListFilters.Reverse,
        ["batch"] = ListFilters.Batch,
        ["slice"] = ListFilters.Slice,
        ["dictsort"] = OrderFilters.SortDict,
        ["groupby"] = OrderFilters.Group,
        ["max"] = (rendering, value, arguments) => OrderFilters.Extreme(rendering, value, arguments, isMost: true),
        ["min"] = (rendering, value, arguments) => OrderFilters.Extreme(rendering, value, arguments, isMost: false),
        ["sort"] = OrderFilters.Sort,
        ["unique"] = OrderFilters.Unique,
        ["map"] = SelectFilters.Map,
        ["reject"] = (rendering, value, arguments) => SelectFilters.Select(rendering, value, arguments, keeps: false, hasAttribute: false),
        ["rejectattr"] = (rendering, value, arguments) => SelectFilters.Select(rendering, value, arguments, keeps: false, hasAttribute: true),
        ["select"] = (rendering, value, arguments) => SelectFilters.Select(rendering, value, arguments, keeps: true, hasAttribute: false),
        ["selectattr"] = (rendering, value, arguments) => SelectFilters.Select(rendering, value, arguments, keeps: true, hasAttribute: true),
    };

    /// <summary>A filter; null where there is none of the name.</summary>
    public static Filter? Find(string name) => All.GetValueOrDefault(name);
}

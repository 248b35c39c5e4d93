namespace Mamba.Managed.Templates;

/// <summary>A test: a predicate of the value before it and of its arguments.</summary>
internal delegate bool Test(Rendering rendering, object? value, Arguments arguments);

/// <summary>The tests by their names.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Test> All = new()
    {
        ["defined"] = Of(value => value is not Undefined),
        ["undefined"] = Of(value => value is Undefined),
        ["none"] = Of(value => value is null),
        ["true"] = Of(value => value is true),
        ["false"] = Of(value => value is false),
        ["boolean"] = Of(value => value is bool),
        ["integer"] = Of(value => value is long or System.Numerics.BigInteger),
        ["float"] = Of(value => value is double),
        ["number"] = Of(Numbers.Is),
        ["string"] = Of(value => value is string),
        ["mapping"] = Of(value => value is PyDict),
        ["sequence"] = Of(value => value is string or PySequence or PyDict or PyRange or Undefined),
        ["iterable"] = Of(value => value is LoopState || Iteration.Can(value)),
        ["callable"] = Of(value => value is Callable or Undefined),
        ["escaped"] = Of(_ => false),
        ["lower"] = (rendering, value, arguments) => TextKinds.IsLower(TextFilters.Text(rendering, value, arguments)),
        ["upper"] = (rendering, value, arguments) => TextKinds.IsUpper(TextFilters.Text(rendering, value, arguments)),
        ["odd"] = (rendering, value, arguments) => arguments.Bind(rendering, 0) is not null && Remainder(rendering, value, 2L) is { } rest && Comparing.AreEqual(rendering, rest, 1L),
        ["even"] = (rendering, value, arguments) => arguments.Bind(rendering, 0) is not null && Remainder(rendering, value, 2L) is { } rest && Comparing.AreEqual(rendering, rest, 0L),
        ["divisibleby"] = (rendering, value, arguments) =>
            Remainder(rendering, value, arguments.Bind(rendering, 1, "num")[0]) is { } rest && Comparing.AreEqual(rendering, rest, 0L),
        ["sameas"] = (rendering, value, arguments) => arguments.Bind(rendering, 1, "other")[0] is var other && IsSame(value, other),
        ["filter"] = (rendering, value, arguments) => arguments.Bind(rendering, 0) is not null && value is string name && Filters.Find(name) is not null,
        ["test"] = (rendering, value, arguments) => arguments.Bind(rendering, 0) is not null && value is string name && Find(name) is not null,
        ["in"] = Comparison("in"),
        ["=="] = Comparison("=="),
        ["eq"] = Comparison("=="),
        ["equalto"] = Comparison("=="),
        ["!="] = Comparison("!="),
        ["ne"] = Comparison("!="),
        ["<"] = Comparison("<"),
        ["lt"] = Comparison("<"),
        ["lessthan"] = Comparison("<"),
        ["<="] = Comparison("<="),
        ["le"] = Comparison("<="),
        [">"] = Comparison(">"),
        ["gt"] = Comparison(">"),
        ["greaterthan"] = Comparison(">"),
        [">="] = Comparison(">="),
        ["ge"] = Comparison(">="),
    };

    /// <summary>A test; null where there is none of the name.</summary>
    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Test Of(Func<object?, bool> holds) => (rendering, value, arguments) =>
    {
        _ = arguments.Bind(rendering, 0);
        return holds(value);
    };

    private static Test Comparison(string symbol) => (rendering, value, arguments) => Comparing.Holds(rendering, symbol, value, arguments.Bind(rendering, 1, "other")[0]);

    private static object? Remainder(Rendering rendering, object? value, object? divisor) => Arithmetic.Of(rendering, "%", value, divisor);

    // Small values are one object each in Python, too; texts that are equal need not be, and are taken for the same.
    private static bool IsSame(object? left, object? right) => ReferenceEquals(left, right)
        || (left is not null && right is not null && left.GetType() == right.GetType() && left is bool or long or string && left.Equals(right));
}

namespace Mamba.Managed.Grammars.Schemas;

/// <summary>The formats of strings as patterns; each describes some of the format's texts, and no others.</summary>
internal static class StringFormats
{
    private const string Year = "([1-9]\\d{3}|0[1-9]\\d{2}|00[1-9]\\d|000[1-9])";
    private const string LeapYear = "(\\d\\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
    private const string Day = $"({Year}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))|{LeapYear}-02-29)";
    private const string Clock = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,7})?(Z|[+-](0\\d|1[0-3]):[0-5]\\d)";
    private const string Seconds = "\\d{1,4}S";
    private const string Minutes = $"\\d{{1,4}}M({Seconds})?";
    private const string ClockDuration = $"T(\\d{{1,4}}H({Minutes})?|{Minutes}|{Seconds})";
    private const string DayDuration = "(\\d{1,4}Y(\\d{1,2}M(\\d{1,2}D)?)?|\\d{1,2}M(\\d{1,2}D)?|\\d{1,4}D)";
    private const string Label = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?";
    private const string Host = $"{Label}(\\.{Label}){{0,4}}";
    private const string Octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

    private static readonly Dictionary<string, string> Patterns = new(StringComparer.Ordinal)
    {
        ["date"] = Day,
        ["time"] = Clock,
        ["date-time"] = $"{Day}T{Clock}",
        ["duration"] = $"P({DayDuration}({ClockDuration})?|{ClockDuration}|\\d{{1,4}}W)",
        ["email"] = $"[a-zA-Z0-9_]([a-zA-Z0-9_+-]|\\.[a-zA-Z0-9_]){{0,30}}@{Host}",
        ["hostname"] = Host,
        ["ipv4"] = $"{Octet}(\\.{Octet}){{3}}",
        ["ipv6"] = "([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
        ["uuid"] = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    };

    /// <summary>The names.</summary>
    public static IEnumerable<string> Names => Patterns.Keys.Order(StringComparer.Ordinal);

    /// <summary>A format's pattern, from the first to the last character; null for one that is not supported.</summary>
    public static string? PatternOf(string format) => Patterns.GetValueOrDefault(format) is { } pattern ? $"^({pattern})$" : null;
}

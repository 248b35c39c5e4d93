using System.Globalization;
using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>The function <c>strftime_now</c>: the local time in a format of C's <c>strftime</c>, in English.</summary>
internal static class TimeText
{
    /// <summary>The time in a format.</summary>
    public static string Of(Rendering rendering, string format)
    {
        DateTime now = rendering.Clock.GetLocalNow().DateTime;
        StringBuilder text = new();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                text.Append(format[at]);
                continue;
            }

            bool isPlain = format[++at] == '-' && at + 1 < format.Length;
            string part = Part(rendering, now, format[isPlain ? ++at : at]);
            text.Append(isPlain && part.TrimStart('0', ' ') is { Length: > 0 } number ? number : isPlain ? "0" : part);
        }

        rendering.RequireText(text.Length);
        return text.ToString();
    }

    private static string Part(Rendering rendering, DateTime now, char part) => part switch
    {
        'a' => Text(now, "ddd"),
        'A' => Text(now, "dddd"),
        'b' or 'h' => Text(now, "MMM"),
        'B' => Text(now, "MMMM"),
        'c' => Text(now, "ddd MMM ") + Day(now) + Text(now, " HH:mm:ss yyyy"),
        'd' => Text(now, "dd"),
        'D' or 'x' => Text(now, "MM/dd/yy"),
        'e' => Day(now),
        'f' => Text(now, "ffffff"),
        'F' => Text(now, "yyyy-MM-dd"),
        'H' => Text(now, "HH"),
        'I' => Text(now, "hh"),
        'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'm' => Text(now, "MM"),
        'M' => Text(now, "mm"),
        'n' => "\n",
        'p' => Text(now, "tt"),
        'R' => Text(now, "HH:mm"),
        'S' => Text(now, "ss"),
        't' => "\t",
        'T' or 'X' => Text(now, "HH:mm:ss"),
        'u' => (now.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'y' => Text(now, "yy"),
        'Y' => Text(now, "yyyy"),
        'z' or 'Z' => "",
        '%' => "%",
        _ => throw rendering.Failed($"strftime_now: '%{part}' is not supported"),
    };

    private static string Text(DateTime now, string format) => now.ToString(format, CultureInfo.InvariantCulture);

    private static string Day(DateTime now) => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2);
}

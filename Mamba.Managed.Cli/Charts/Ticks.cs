using System.Globalization;

namespace Mamba.Managed.Cli.Charts;

/// <summary>A place of an axis that has a label.</summary>
/// <param name="Value">The place.</param>
/// <param name="Label">What stands there.</param>
internal readonly record struct Tick(double Value, string Label)
{
    private const double Largest = 1e6;
    private const double Smallest = 1e-4;

    /// <summary>Ticks at round numbers between two limits.</summary>
    /// <param name="from">The lower limit.</param>
    /// <param name="to">The upper limit, above it.</param>
    /// <param name="most">About how many there may be.</param>
    public static Tick[] Between(double from, double to, int most)
    {
        double rough = (to - from) / most, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        double first = Math.Ceiling(from / step);
        int count = (int)Math.Clamp(Math.Floor(to / step) - first + 1, 0, 2 * most);
        return [.. Enumerable.Range(0, count).Select(i => (first + i) * step).Select(value => new Tick(value, Format(value, step)))];
    }

    private static string Format(double value, double step)
    {
        if (Math.Abs(value) >= Largest || step < Smallest)
        {
            return value.ToString("G4", CultureInfo.InvariantCulture);
        }

        int decimals = Math.Max(0, -(int)Math.Floor(Math.Log10(step) + 1e-9));
        return value.ToString("N" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}

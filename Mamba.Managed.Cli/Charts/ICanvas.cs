namespace Mamba.Managed.Cli.Charts;

/// <summary>Where a text lies from its point.</summary>
internal enum Anchor
{
    Start,
    Middle,
    End,
}

/// <summary>A color without transparency.</summary>
internal readonly record struct Rgb(byte Red, byte Green, byte Blue)
{
    public static Rgb White { get; } = new(255, 255, 255);

    public static Rgb Ink { get; } = new(40, 40, 40);

    public static Rgb Grid { get; } = new(230, 230, 230);

    public static Rgb SteelBlue { get; } = new(70, 130, 180);

    public static Rgb OrangeRed { get; } = new(255, 69, 0);
}

/// <summary>What a chart is drawn on. Points are in pixels from the upper left corner.</summary>
internal interface ICanvas
{
    /// <summary>A rectangle, filled.</summary>
    void Rectangle(double x, double y, double width, double height, Rgb color);

    /// <summary>A line through points, with round ends.</summary>
    void Line(ReadOnlySpan<(double X, double Y)> points, Rgb color, double width);

    /// <summary>A disc.</summary>
    void Disc(double x, double y, double radius, Rgb color);

    /// <summary>A line of text whose baseline goes through the point; with <paramref name="upwards"/> it is turned a quarter to the left.</summary>
    void Text(double x, double y, string text, double size, Anchor anchor, bool upwards = false);
}

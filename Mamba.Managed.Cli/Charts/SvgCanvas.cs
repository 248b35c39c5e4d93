using System.Globalization;
using System.Text;
using System.Xml.Linq;

namespace Mamba.Managed.Cli.Charts;

/// <summary>Draws into an SVG document.</summary>
internal sealed class SvgCanvas(int width, int height) : ICanvas
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private readonly XElement root = new(
        Svg + "svg",
        new XAttribute("width", width),
        new XAttribute("height", height),
        new XAttribute("viewBox", string.Create(CultureInfo.InvariantCulture, $"0 0 {width} {height}")),
        new XAttribute("font-family", "DejaVu Sans, Verdana, sans-serif"));

    /// <summary>The document, in UTF-8.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(root + "\n");

    public void Rectangle(double x, double y, double width, double height, Rgb color) =>
        Add("rect", ("x", Number(x)), ("y", Number(y)), ("width", Number(width)), ("height", Number(height)), ("fill", Name(color)));

    public void Line(ReadOnlySpan<(double X, double Y)> points, Rgb color, double width)
    {
        StringBuilder list = new();
        foreach ((double x, double y) in points)
        {
            list.Append(list.Length == 0 ? "" : " ").Append(Number(x)).Append(',').Append(Number(y));
        }

        Add(
            "polyline", ("points", list.ToString()), ("fill", "none"), ("stroke", Name(color)), ("stroke-width", Number(width)),
            ("stroke-linecap", "round"), ("stroke-linejoin", "round"));
    }

    public void Disc(double x, double y, double radius, Rgb color) => Add("circle", ("cx", Number(x)), ("cy", Number(y)), ("r", Number(radius)), ("fill", Name(color)));

    public void Text(double x, double y, string text, double size, Anchor anchor, bool upwards = false)
    {
        string place = $"translate({Number(x)} {Number(y)}){(upwards ? " rotate(-90)" : "")}";
        string side = anchor switch { Anchor.Start => "start", Anchor.Middle => "middle", _ => "end" };
        Add("text", ("transform", place), ("font-size", Number(size)), ("text-anchor", side), ("fill", Name(Rgb.Ink))).Value = text;
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Name(Rgb color) => string.Create(CultureInfo.InvariantCulture, $"#{color.Red:x2}{color.Green:x2}{color.Blue:x2}");

    private XElement Add(string name, params (string Name, string Value)[] attributes)
    {
        XElement element = new(Svg + name, attributes.Select(attribute => new XAttribute(attribute.Name, attribute.Value)));
        root.Add(element);
        return element;
    }
}

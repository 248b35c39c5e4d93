using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Xml.Linq;
using Mamba.Managed.Cli.Charts;

namespace Mamba.Managed.Tests.Cli.Charts;

/// <summary>Charts as SVG and as PNG: what is drawn, where, and that no value breaks them.</summary>
public class ChartTests
{
    private const int Width = 900;
    private const int Height = 540;

    private static readonly double[][] Losses =
    [
        [5, 4, 3.5, 3.2, 3.1], [2], [2, 2, 2], [1, double.NaN, 2, double.PositiveInfinity, 3, 4], [double.NaN, double.NegativeInfinity],
        [1e30, 2e30], [double.MaxValue, double.MinValue], [1e100, -1e100], [1e-9, 2e-9], [1, 1 + 1e-15], [0, 0], [], [double.Epsilon, 0],
    ];

    [TestCaseSource(nameof(Losses))]
    public void Any_values_give_a_picture_whose_marks_lie_within_it(double[] losses)
    {
        Chart chart = Of(losses);
        SvgCanvas drawing = new(Width, Height);
        chart.Draw(drawing, Width, Height);
        XElement root = XDocument.Load(new MemoryStream(drawing.ToBytes())).Root!;
        double[] places = [.. root.Descendants().SelectMany(Places)];
        Assert.That(root.Name.LocalName, Is.EqualTo("svg"));
        Assert.That(places, Is.All.InRange(0, Width));
        Assert.That(places, Has.Length.LessThan(300));
        PixelCanvas pixels = new(Width, Height);
        chart.Draw(pixels, Width, Height);
        Decode(pixels.ToBytes());
    }

    [Test]
    public void A_picture_has_the_pixels_that_were_drawn()
    {
        PixelCanvas canvas = new(40, 30);
        canvas.Rectangle(0, 0, 40, 30, Rgb.White);
        canvas.Rectangle(5, 6, 10.5, 4, Rgb.SteelBlue);
        canvas.Disc(30, 20, 5, Rgb.OrangeRed);
        canvas.Line([(2.5, 25.5), (20.5, 25.5)], Rgb.Ink, 1);
        (int width, int height, byte[] pixels) = Decode(canvas.ToBytes());
        Assert.Multiple(() =>
        {
            Assert.That((width, height), Is.EqualTo((40, 30)));
            Assert.That(At(4, 6), Is.EqualTo(Rgb.White));
            Assert.That((At(5, 6), At(14, 9)), Is.EqualTo((Rgb.SteelBlue, Rgb.SteelBlue)));
            Assert.That(At(15, 8).Red, Is.EqualTo((255 + 70) / 2.0).Within(1), "half covered");
            Assert.That((At(16, 8), At(10, 10)), Is.EqualTo((Rgb.White, Rgb.White)));
            Assert.That((At(30, 20), At(30, 16), At(30, 14)), Is.EqualTo((Rgb.OrangeRed, Rgb.OrangeRed, Rgb.White)));
            Assert.That((At(10, 25), At(10, 24), At(10, 26)), Is.EqualTo((Rgb.Ink, Rgb.White, Rgb.White)));
        });

        Rgb At(int x, int y) => new(pixels[3 * ((y * width) + x)], pixels[(3 * ((y * width) + x)) + 1], pixels[(3 * ((y * width) + x)) + 2]);
    }

    [TestCase(nameof(Anchor.Start), false, 100, 50)]
    [TestCase(nameof(Anchor.Middle), false, 70, 50)]
    [TestCase(nameof(Anchor.End), false, 40, 50)]
    [TestCase(nameof(Anchor.Middle), true, 100, 50)]
    public void A_text_lies_at_its_anchor(string anchor, bool upwards, int firstColumn, int lastRow)
    {
        // Each H is 0.752 of its size wide, with 0.098 before its first stem, and stands on the baseline.
        PixelCanvas canvas = new(200, 100);
        canvas.Rectangle(0, 0, 200, 100, Rgb.White);
        canvas.Text(100, 50, "HHHH", 20, Enum.Parse<Anchor>(anchor), upwards);
        (int width, _, byte[] pixels) = Decode(canvas.ToBytes());
        (int X, int Y)[] dark = [.. Enumerable.Range(0, pixels.Length / 3).Where(i => pixels[3 * i] < 128).Select(i => (i % width, i / width))];
        (int left, int right, int top, int bottom) = (dark.Min(at => at.X), dark.Max(at => at.X), dark.Min(at => at.Y), dark.Max(at => at.Y));
        if (upwards)
        {
            Assert.That((left, right), Is.EqualTo((firstColumn - 14, firstColumn - 1)));
            Assert.That((top + bottom) / 2.0, Is.EqualTo(lastRow).Within(1));
        }
        else
        {
            Assert.That(left, Is.EqualTo(firstColumn + 2).Within(1));
            Assert.That(right - left, Is.EqualTo((int)(4 * 0.752 * 20) - 4).Within(1));
            Assert.That(bottom, Is.EqualTo(lastRow - 1));
        }
    }

    [TestCase(0, 1, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [TestCase(-3, 17, "0 5 10 15")]
    [TestCase(0, 20000, "0 5,000 10,000 15,000 20,000")]
    [TestCase(1.42, 1.58, "1.45 1.50 1.55")]
    [TestCase(0, 3e8, "0 5E+07 1E+08 1.5E+08 2E+08 2.5E+08 3E+08")]
    public void Ticks_are_round(double from, double to, string labels) =>
        Assert.That(string.Join(' ', Tick.Between(from, to, 6).Select(tick => tick.Label)), Is.EqualTo(labels));

    [Test]
    public void A_name_that_looks_like_markup_is_text()
    {
        SvgCanvas drawing = new(Width, Height);
        (Of([1, 2]) with { XLabel = "<script>&amp;\"" }).Draw(drawing, Width, Height);
        Assert.That(XDocument.Load(new MemoryStream(drawing.ToBytes())).Descendants().Select(element => element.Value), Does.Contain("<script>&amp;\""));
    }

    private static Chart Of(double[] losses) => new()
    {
        XLabel = "step",
        YLabel = "nats per token",
        Lines = [new("training", [.. losses.Select((loss, step) => ((double)step, loss))], Rgb.SteelBlue, 3)],
    };

    // The numbers of coordinates, not of the sizes and turns that stand beside them.
    private static IEnumerable<double> Places(XElement element) =>
        element.Attributes().Where(attribute => attribute.Name.LocalName is "points" or "x" or "y" or "cx" or "cy")
            .SelectMany(attribute => attribute.Value.Split(' ', ',')).Where(number => number.Length > 0).Select(number => double.Parse(number, CultureInfo.InvariantCulture))
            .Concat(element.Attribute("transform") is { } place ? place.Value.Split(')')[0]["translate(".Length..].Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture)) : []);

    private static (int Width, int Height, byte[] Pixels) Decode(byte[] file)
    {
        Assert.That(file.AsSpan(0, 8).SequenceEqual((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]), Is.True);
        int width = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(16)), height = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(20));
        int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(33));

        // IEND has no data, so its checksum is known.
        Assert.That(file[^8..], Is.EqualTo("IEND"u8.ToArray().Concat((byte[])[0xAE, 0x42, 0x60, 0x82])));
        using ZLibStream rows = new(new MemoryStream(file, 41, length), CompressionMode.Decompress);
        byte[] pixels = new byte[3 * width * height];
        for (int row = 0; row < height; row++)
        {
            Assert.That(rows.ReadByte(), Is.Zero);
            rows.ReadExactly(pixels, 3 * row * width, 3 * width);
        }

        Assert.That(rows.ReadByte(), Is.EqualTo(-1));
        return (width, height, pixels);
    }
}

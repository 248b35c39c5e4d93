namespace Mamba.Managed.Cli.Charts;

/// <summary>Draws into pixels, with smooth edges: each shape first leaves in <c>coverage</c> how much of a pixel it covers, then colors it so far.</summary>
internal sealed class PixelCanvas : ICanvas
{
    private readonly int width;
    private readonly int height;
    private readonly byte[] pixels;

    // Two columns more than pixels: what an edge adds behind the last pixel.
    private readonly double[] coverage;

    public PixelCanvas(int width, int height)
    {
        (this.width, this.height) = (width, height);
        pixels = new byte[3 * width * height];
        coverage = new double[(width + 2) * height];
    }

    /// <summary>The picture as a PNG file.</summary>
    public byte[] ToBytes() => PngFile.Encode(pixels, width, height);

    public void Rectangle(double x, double y, double width, double height, Rgb color)
    {
        AddContour([(x, y), (x + width, y), (x + width, y + height), (x, y + height)]);
        SumEdges();
        Paint(color);
    }

    public void Line(ReadOnlySpan<(double X, double Y)> points, Rgb color, double width)
    {
        for (int i = 1; i < points.Length; i++)
        {
            Stroke(points[i - 1], points[i], width / 2);
        }

        Paint(color);
    }

    public void Disc(double x, double y, double radius, Rgb color)
    {
        Stroke((x, y), (x, y), radius);
        Paint(color);
    }

    public void Text(double x, double y, string text, double size, Anchor anchor, bool upwards = false)
    {
        double start = -GlyphOutlines.Width(text, size) * (int)anchor / 2;
        foreach (List<(double X, double Y)> contour in GlyphOutlines.Contours(text, size))
        {
            AddContour([.. contour.Select(point => upwards ? (x + point.Y, y - point.X - start) : (x + point.X + start, y + point.Y))]);
        }

        SumEdges();
        Paint(Rgb.Ink);
    }

    // The pixels near a piece of line are covered by their distance from it. The nearest piece counts, so that joints are no thicker than the line.
    private void Stroke((double X, double Y) from, (double X, double Y) to, double radius)
    {
        double reach = radius + 1, dx = to.X - from.X, dy = to.Y - from.Y, square = (dx * dx) + (dy * dy);
        int left = Column(Math.Min(from.X, to.X) - reach), right = Column(Math.Max(from.X, to.X) + reach);
        int bottom = Row(Math.Max(from.Y, to.Y) + reach);
        for (int row = Row(Math.Min(from.Y, to.Y) - reach); row < bottom; row++)
        {
            for (int column = left; column < right; column++)
            {
                double x = column + 0.5 - from.X, y = row + 0.5 - from.Y;
                double along = square == 0 ? 0 : Math.Clamp(((x * dx) + (y * dy)) / square, 0, 1);
                double distance = double.Hypot(x - (along * dx), y - (along * dy));
                ref double covered = ref coverage[(row * (width + 2)) + column];
                covered = Math.Max(covered, Math.Clamp(radius + 0.5 - distance, 0, 1));
            }
        }
    }

    private int Column(double x) => (int)Math.Clamp(x, 0, width);

    private int Row(double y) => (int)Math.Clamp(y, 0, height);

    // An edge changes the coverage of all pixels to its right, upwards by the opposite of downwards: it adds the change, and SumEdges adds up.
    private void AddContour(ReadOnlySpan<(double X, double Y)> points)
    {
        for (int i = 0; i < points.Length; i++)
        {
            (double X, double Y) from = points[i], to = points[(i + 1) % points.Length];
            int sign = from.Y < to.Y ? 1 : -1;
            (from, to) = sign > 0 ? (from, to) : (to, from);
            double slope = (to.X - from.X) / (to.Y - from.Y);
            for (int row = Row(from.Y); row < height && row < to.Y; row++)
            {
                double top = Math.Max(row, from.Y), bottom = Math.Min(row + 1, to.Y);
                if (top < bottom)
                {
                    double start = from.X + ((top - from.Y) * slope), end = from.X + ((bottom - from.Y) * slope);
                    AddEdge(row, Math.Clamp(Math.Min(start, end), 0, width), Math.Clamp(Math.Max(start, end), 0, width), sign * (bottom - top));
                }
            }
        }
    }

    // The part of an edge in one row, split by columns: of the pixel that holds it, what lies to its right is covered; of all later ones, the whole.
    private void AddEdge(int row, double left, double right, double tall)
    {
        Span<double> line = coverage.AsSpan(row * (width + 2), width + 2);
        int column = (int)left;
        do
        {
            double from = Math.Max(left, column), to = Math.Min(right, column + 1);
            double part = right > left ? tall * (to - from) / (right - left) : tall;
            double before = ((from + to) / 2) - column;
            line[column] += part * (1 - before);
            line[column + 1] += part * before;
            column++;
        }
        while (column < right);
    }

    private void SumEdges()
    {
        for (int row = 0; row < height; row++)
        {
            double sum = 0;
            foreach (ref double covered in coverage.AsSpan(row * (width + 2), width + 2))
            {
                sum += covered;
                covered = Math.Min(Math.Abs(sum), 1);
            }
        }
    }

    private void Paint(Rgb color)
    {
        for (int row = 0; row < height; row++)
        {
            for (int column = 0; column < width; column++)
            {
                double covered = coverage[(row * (width + 2)) + column];
                if (covered > 0)
                {
                    Span<byte> pixel = pixels.AsSpan(3 * ((row * width) + column), 3);
                    pixel[0] = Mix(pixel[0], color.Red, covered);
                    pixel[1] = Mix(pixel[1], color.Green, covered);
                    pixel[2] = Mix(pixel[2], color.Blue, covered);
                }
            }
        }

        Array.Clear(coverage);
    }

    private static byte Mix(byte under, byte over, double covered) => (byte)Math.Round(under + ((over - under) * covered));
}

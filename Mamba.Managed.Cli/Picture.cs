using Mamba.Managed.Cli.Charts;

namespace Mamba.Managed.Cli;

/// <summary>Writes charts to files.</summary>
internal static class Picture
{
    private const int Width = 900;
    private const int Height = 540;

    /// <summary>Writes a chart as SVG and PNG, each atomically.</summary>
    /// <param name="chart">The chart.</param>
    /// <param name="folder">The folder of the files.</param>
    /// <param name="name">The name of the files, without extension.</param>
    public static void Save(Chart chart, string folder, string name)
    {
        SvgCanvas drawing = new(Width, Height);
        chart.Draw(drawing, Width, Height);
        Write(".svg", drawing.ToBytes());
        PixelCanvas pixels = new(Width, Height);
        chart.Draw(pixels, Width, Height);
        Write(".png", pixels.ToBytes());

        void Write(string ending, byte[] bytes) => AtomicFile.Write(Path.Combine(folder, name + ending), stream => stream.Write(bytes));
    }
}
